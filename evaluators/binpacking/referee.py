"""The referee: checks that the bins hold what was put into them, counts them and compares with the bound."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluators.binpacking.problem import decode
from evaluators.task import Figure, ImpossibleAnswer, Instance, InvalidAnswer, Judgement

CERTAIN = ("proved optimum", "bound")


def judge(instance: Instance, answer: bytes) -> Judgement:
    """The bins used and their excess over the reference, 100·(bins - reference)/reference, in percent.

    Raises InvalidAnswer when an item is in no bin that may be or a bin holds too much, ImpossibleAnswer when the
    bins are fewer than a proved optimum or bound, ValueError when the instance has no reference."""
    capacity, sizes = decode(instance.payload)
    n = len(sizes)
    if len(answer) != 8 * n:
        raise InvalidAnswer(f"the answer has {len(answer)} bytes; {n} items need {8 * n}")
    places = np.frombuffer(answer, dtype="<i8")
    outside = np.flatnonzero((places < 0) | (places >= n))
    if len(outside):
        at = int(outside[0])
        raise InvalidAnswer(f"item {at} is in bin {int(places[at])}; bins are numbered 0 to {n - 1}")
    loads = np.zeros(n, dtype=np.int64)
    np.add.at(loads, places, sizes)
    if loads.max() > capacity:
        over = int(loads.argmax())
        raise InvalidAnswer(f"bin {over} holds {int(loads[over])}, more than its capacity of {capacity}")
    value = int(np.count_nonzero(loads))
    if instance.reference is None:
        raise ValueError(
            f"instance {instance.id!r} has no reference; fill in the best baseline's value first"
        )
    if instance.reference_kind in CERTAIN and value < instance.reference:
        raise ImpossibleAnswer(
            f"{value} bins on {instance.id!r} are fewer than the {instance.reference:.0f} that are proved to be needed"
        )
    return Judgement(float(value), 100.0 * (value - instance.reference) / (instance.reference or 1.0))


def figures(instances: Sequence[Instance], values: Sequence[float]) -> tuple[Figure, ...]:
    """Beside the score, over the instances that have a reference: the pooled excess (all bins against all
    references, the figure of the literature), the worst class's mean excess, and the share packed to the reference."""
    rows = [(i, v, i.reference) for i, v in zip(instances, values, strict=True) if i.reference is not None]
    if not rows:
        return ()
    needed = sum(r for _, _, r in rows)
    classes: dict[str, list[float]] = {}
    for i, v, r in rows:
        classes.setdefault(i.group, []).append(100.0 * (v - r) / r)
    means = {group: sum(found) / len(found) for group, found in classes.items()}
    worst = max(means, key=means.__getitem__)
    return (
        Figure("pooled excess", 100.0 * (sum(v for _, v, _ in rows) - needed) / needed, "%"),
        Figure(f"worst class ({worst})", means[worst], "%"),
        Figure("share at the reference", 100.0 * sum(v <= r for _, v, r in rows) / len(rows), "%"),
    )
