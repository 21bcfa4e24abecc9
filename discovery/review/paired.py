"""Two candidates class by class: where one wins and where it loses, paired, with intervals that hold together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from discovery.statistics import gains
from evaluators.task import Direction, InstanceSet

ERROR = 0.05


@dataclass(frozen=True)
class ClassGain:
    """A class of instances. ``a`` and ``b`` are mean scores; ``difference`` is what A is better by, in the score's
    unit, with an interval; ``verdict`` tells where the interval leaves 0 out."""

    group: str
    instances: int
    a: float
    b: float
    difference: float
    low: float | None
    high: float | None

    @property
    def verdict(self) -> str:
        if self.low is None or self.high is None:
            return "open"
        return "wins" if self.low > 0 else "loses" if self.high < 0 else "open"

    def to_json(self) -> dict[str, object]:
        data = asdict(self)
        return {"class": data.pop("group"), **data, "verdict": self.verdict}


def class_gains(
    instances: InstanceSet, a: Sequence[float], b: Sequence[float], direction: Direction
) -> tuple[ClassGain, ...]:
    """A beside B on the same instances, the class where A loses most first.

    Intervals are Student's on the paired differences, at 1 - 0.05/classes each (Bonferroni), so that with at least
    95 % all of them are right at once; None in a class of one instance. Raises ValueError when lengths differ."""
    if not len(a) == len(b) == len(instances):
        raise ValueError(f"{len(a)} and {len(b)} scores for {len(instances)} instances")
    found = gains(a, b, direction)
    cells: dict[str, list[int]] = {}
    for place, instance in enumerate(instances):
        cells.setdefault(instance.group, []).append(place)
    rows = []
    for group, places in cells.items():
        inside = found[places]
        half = _half(inside, ERROR / len(cells))
        mean = float(inside.mean())
        rows.append(
            ClassGain(
                group,
                len(places),
                float(np.mean([a[p] for p in places])),
                float(np.mean([b[p] for p in places])),
                mean,
                None if half is None else mean - half,
                None if half is None else mean + half,
            )
        )
    return tuple(sorted(rows, key=lambda r: r.difference))


def _half(values: np.ndarray[tuple[int], np.dtype[np.float64]], error: float) -> float | None:
    """Half the width of Student's interval of a mean."""
    from scipy.special import stdtrit

    m = len(values)
    if m < 2:
        return None
    return float(stdtrit(m - 1, 1 - error / 2)) * float(values.std(ddof=1)) / math.sqrt(m)
