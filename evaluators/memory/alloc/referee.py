"""The referee: validates a placing, measures its height and compares with the reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluators.memory.buffers import capacity, decode
from evaluators.task import Figure, ImpossibleAnswer, Instance, InvalidAnswer, Judgement, ReferenceKind

CERTAIN: tuple[ReferenceKind, ...] = ("proved optimum", "bound")
"""References that no placing can beat."""


def judge(instance: Instance, answer: bytes) -> Judgement:
    """The height H in bytes and 100·(H - H*)/H* in percent, where H* is the reference.

    Raises InvalidAnswer where two buffers overlap or one lies outside, ImpossibleAnswer when the height beats an
    optimum or a bound, ValueError when the instance has no reference."""
    buffers = decode(instance.payload)
    n = len(buffers)
    if len(answer) != 8 * n:
        raise InvalidAnswer(f"the answer has {len(answer)} bytes; {n} buffers need {8 * n}")
    offsets = np.frombuffer(answer, "<i8").astype(np.int64)
    most = int(buffers.size.sum())
    outside = np.flatnonzero((offsets < 0) | (offsets > most))
    if len(outside):
        at = int(outside[0])
        raise InvalidAnswer(
            f"buffer {at} lies at {int(offsets[at])}; expected 0 to {most}, the sum of all sizes"
        )
    clash = buffers.clash(offsets)
    if clash is not None:
        raise InvalidAnswer("buffers {} and {} overlap in time and in address".format(*clash))
    value = float(buffers.height(offsets))
    if instance.reference is None:
        raise ValueError(f"instance {instance.id!r} has no reference")
    if instance.reference_kind in CERTAIN and value < instance.reference:
        raise ImpossibleAnswer(
            f"a height of {value:.0f} on {instance.id!r} is below {instance.reference:.0f}, which is needed"
        )
    return Judgement(value, 100.0 * (value - instance.reference) / (instance.reference or 1.0))


def figures(instances: Sequence[Instance], values: Sequence[float]) -> tuple[Figure, ...]:
    """How much of the height is needed at the peak, how many instances are at their reference, and, where names tell a
    capacity, how many fit into it."""
    bounds = [decode(i.payload).bound for i in instances]
    used = [bound / value for bound, value in zip(bounds, values, strict=True)]
    met = [v <= (i.reference or 0.0) for i, v in zip(instances, values, strict=True)]
    found = [
        Figure("mean of bound / height", 100.0 * sum(used) / len(used), "%"),
        Figure("at the optimum or bound", 100.0 * sum(met) / len(met), "%"),
    ]
    told = [(v, capacity(i.id, b)) for i, v, b in zip(instances, values, bounds, strict=True)]
    fits = [v <= room for v, room in told if room is not None]
    if fits:
        found.append(Figure("within the capacity", 100.0 * sum(fits) / len(fits), "%"))
    return tuple(found)
