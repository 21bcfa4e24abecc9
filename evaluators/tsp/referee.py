"""The referee: validates a tour, measures it and compares with the reference tour."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluators.task import Figure, ImpossibleAnswer, Instance, InvalidAnswer, Judgement
from evaluators.tsp.problem import decode, length


def judge(instance: Instance, answer: bytes) -> Judgement:
    """The tour's length L and 100·(L - L*)/L* in percent; negative when it is shorter than a best known L*.

    Raises InvalidAnswer when the answer is not a permutation, ImpossibleAnswer when it beats a proved optimum,
    ValueError when the instance has no reference."""
    x, y = decode(instance.payload)
    n = len(x)
    if len(answer) != 8 * n:
        raise InvalidAnswer(f"the answer has {len(answer)} bytes; {n} cities need {8 * n}")
    tour = np.frombuffer(answer, dtype="<i8")
    outside = np.flatnonzero((tour < 0) | (tour >= n))
    if len(outside):
        at = int(outside[0])
        raise InvalidAnswer(
            f"position {at} of the tour holds {int(tour[at])}; cities are numbered 0 to {n - 1}"
        )
    counts = np.bincount(tour, minlength=n)
    if (counts != 1).any():
        twice, missing = int(np.argmax(counts)), int(np.argmin(counts))
        raise InvalidAnswer(
            f"not a tour: city {twice} occurs {int(counts[twice])} times and city {missing} is missing"
        )
    value = length(x, y, tour)
    if instance.reference is None:
        raise ValueError(
            f"instance {instance.id!r} has no reference; fill in the best baseline's value first"
        )
    if instance.reference_kind == "proved optimum" and value < instance.reference:
        raise ImpossibleAnswer(
            f"a tour of {value:.6g} on {instance.id!r} beats the proved optimum {instance.reference:.6g}"
        )
    # Before its baselines have run, an instance of the user's without a best known tour is measured against 0.
    return Judgement(value, 100.0 * (value - instance.reference) / (instance.reference or 1.0))


def figures(instances: Sequence[Instance], values: Sequence[float]) -> tuple[Figure, ...]:
    """Mean tour length by class (the figure of the literature), and how many tours beat a best known reference."""
    classes: dict[str, list[float]] = {}
    for i, v in zip(instances, values, strict=True):
        classes.setdefault(i.group, []).append(v)
    found = [Figure(f"mean tour ({group})", sum(vs) / len(vs)) for group, vs in classes.items()]
    rows = [(v, i.reference) for i, v in zip(instances, values, strict=True) if i.reference is not None]
    return (
        *found,
        Figure("shorter than the reference", float(sum(v < r for v, r in rows)), f"of {len(rows)}"),
    )
