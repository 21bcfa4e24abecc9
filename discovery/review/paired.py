"""Two candidates class by class: where one wins and where it loses, paired, with intervals that hold together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np

from db.ledger import Ledger
from discovery.draws import key
from discovery.review.names import SHORT, frozen, label, task_of
from discovery.review.overview import best_seed
from discovery.statistics import PairedResult, gains, paired_test, relative
from evaluators.task import Direction, InstanceSet, Mean, average, mean_of

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
    instances: InstanceSet,
    a: Sequence[float],
    b: Sequence[float],
    direction: Direction,
    mean: Mean = "arithmetic",
) -> tuple[ClassGain, ...]:
    """A beside B on the same instances, the class where A loses most first.

    Intervals are Student's on the paired differences, at 1 - 0.05/classes each (Bonferroni), so that with at least
    95 % all of them are right at once; None in a class of one instance. With a geometric ``mean`` they are those of
    the logarithms, turned back into what they make of the score of B. Raises ValueError when lengths differ."""
    if not len(a) == len(b) == len(instances):
        raise ValueError(f"{len(a)} and {len(b)} scores for {len(instances)} instances")
    found = gains(a, b, direction, mean)
    cells: dict[str, list[int]] = {}
    for place, instance in enumerate(instances):
        cells.setdefault(instance.group, []).append(place)
    rows = []
    for group, places in cells.items():
        inside = found[places]
        half = _half(inside, ERROR / len(cells))
        middle = float(inside.mean())
        ours, theirs = (average([side[p] for p in places], mean) for side in (a, b))
        ends = [middle] if half is None else [middle, middle - half, middle + half]
        if mean == "geometric":
            ends = [theirs * relative(end, direction) for end in ends]
        difference, low, high = ends if half is not None else (ends[0], None, None)
        rows.append(ClassGain(group, len(places), ours, theirs, difference, low, high))
    return tuple(sorted(rows, key=lambda r: r.difference))


@dataclass(frozen=True)
class HeldOut:
    """A run's champion (A) beside its best seed (B) on the report blocks of the gate, which no look opens. ``test`` is
    the paired one with H0 "the champion is not better"."""

    champion: str
    seed: str
    unit: str
    instances: int
    test: PairedResult
    classes: tuple[ClassGain, ...]

    def to_json(self) -> dict[str, object]:
        """The documented object."""
        return {**asdict(self), "classes": [c.to_json() for c in self.classes]}


def held_out(ledger: Ledger, run: str) -> HeldOut | None:
    """What the run's end stored; None where the champion is a seed or one of the two has no scores there. Nothing is
    run.

    Raises LedgerError; TaskError when the run's task is not installed."""
    record = ledger.run(run)
    task, champion = task_of(record), ledger.champion(record.id)
    seed = best_seed(ledger.entries(record.id), task.direction)
    if champion is None or seed is None or champion.kind == "seed":
        return None
    blocks, scores = task.instances("gate"), list[tuple[float, ...]]()
    for entry in (champion, seed):
        version, isolated = record.evaluator_version, record.isolated
        found = ledger.evaluation(entry.candidate or "", blocks.digest, version, isolated)
        if found is None or found.outcome != "scored":
            return None
        scores.append(found.scores)
    a, b = scores
    draws = key(record.seed, "held out")
    groups, mean = [i.group for i in blocks], mean_of(task)
    test = paired_test(a, b, groups, task.direction, draws, margin=0.0, mean=mean)
    name = frozen(record).seeds.get(seed.candidate or "", "") or label(seed)
    rows = class_gains(blocks, a, b, task.direction, mean)
    return HeldOut((champion.candidate or "")[:SHORT], name, task.unit, len(blocks), test, rows)


def _half(values: np.ndarray[tuple[int], np.dtype[np.float64]], error: float) -> float | None:
    """Half the width of Student's interval of a mean."""
    from scipy.special import stdtrit

    m = len(values)
    if m < 2:
        return None
    return float(stdtrit(m - 1, 1 - error / 2)) * float(values.std(ddof=1)) / math.sqrt(m)
