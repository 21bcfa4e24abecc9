"""Class by class: intervals that hold together, and no verdict without one."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from discovery.review.paired import ERROR, class_gains
from evaluators.task import Direction, Instance, InstanceSet


def instances(groups: list[str]) -> InstanceSet:
    return InstanceSet(
        "s", tuple(Instance(str(n), g, 1, b"", 0, 1.0, 1.0, "bound") for n, g in enumerate(groups))
    )


GROUPS = ["win", "lose", "equal", "one"]
WHERE = [g for g in GROUPS[:3] for _ in range(8)] + ["one"]


def scores(seed: int) -> tuple[list[float], list[float]]:
    rng = np.random.default_rng(seed)
    b = rng.uniform(5, 9, len(WHERE))
    step = {"win": -2.0, "lose": 2.0, "equal": 0.0, "one": 1.0}
    a = b + [step[g] + rng.normal(0, 0.2) for g in WHERE]
    return list(a), list(b)


@pytest.mark.parametrize("direction, first", [("minimize", "lose"), ("maximize", "win")])
def test_the_worst_class_comes_first(direction: Direction, first: str) -> None:
    a, b = scores(1)
    rows = class_gains(instances(WHERE), a, b, direction)
    verdicts = {r.group: r.verdict for r in rows}
    assert rows[0].group == first and rows[0].verdict == "loses"
    assert verdicts["equal"] == "open" and verdicts["one"] == "open"
    assert next(r for r in rows if r.group == "one").low is None


def test_the_interval_is_students_at_the_shared_level() -> None:
    a, b = scores(2)
    row = next(r for r in class_gains(instances(WHERE), a, b, "minimize") if r.group == "win")
    gains = np.array(b[:8]) - np.array(a[:8])
    low, high = stats.t.interval(1 - ERROR / 4, 7, gains.mean(), stats.sem(gains))
    assert (row.low, row.high) == (pytest.approx(low), pytest.approx(high))
    assert (row.a, row.b, row.instances) == (
        pytest.approx(np.mean(a[:8])),
        pytest.approx(np.mean(b[:8])),
        8,
    )


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match="2 and 3 scores for 2"):
        class_gains(instances(["g", "g"]), [1.0, 2.0], [1.0, 2.0, 3.0], "minimize")


@pytest.mark.parametrize("direction, sign", [("minimize", -1), ("maximize", 1)])
def test_geometric_differences_are_those_of_geometric_means(direction: Direction, sign: int) -> None:
    """In the score's unit, with Student's interval of the logarithms around it."""
    a, b = scores(2)
    row = next(r for r in class_gains(instances(WHERE), a, b, direction, "geometric") if r.group == "win")
    ours, theirs = stats.gmean(a[:8]), stats.gmean(b[:8])
    assert (row.a, row.b, row.difference) == pytest.approx((ours, theirs, sign * (ours - theirs)))
    logs = np.log(np.array(a[:8]) / np.array(b[:8]))
    ends = theirs * np.exp(stats.t.interval(1 - ERROR / 4, 7, logs.mean(), stats.sem(logs)))
    assert sorted((row.low, row.high)) == pytest.approx(sorted(sign * (ends - theirs)))
    assert row.low < row.difference < row.high  # type: ignore[operator]
