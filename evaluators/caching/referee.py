"""Replays event logs: whether they are possible, and how many misses they have."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluators.caching.problem import decode
from evaluators.caching.simulator import KEPT
from evaluators.task import (
    Figure,
    ImpossibleAnswer,
    Instance,
    InvalidAnswer,
    Judgement,
    ReferenceKind,
    in_classes,
)

CERTAIN: tuple[ReferenceKind, ...] = ("proved optimum", "bound")
"""References that no policy can beat."""


def judge(instance: Instance, answer: bytes) -> Judgement:
    """Replay the event log and score its misses: the share of the optimum's hits that are lost, in percent.

    Raises InvalidAnswer for a log that no run of the cache can give, ImpossibleAnswer when the misses are fewer than
    the optimum, ValueError when the instance has no reference."""
    capacity, pages = decode(instance.payload)
    if len(answer) != 2 * len(pages):
        raise InvalidAnswer(
            f"the event log has {len(answer)} bytes; {len(pages)} requests need {2 * len(pages)}"
        )
    value = misses(capacity, pages, np.frombuffer(answer, "<i2").tolist())
    if instance.reference is None:
        raise ValueError(f"instance {instance.id!r} has no reference")
    if instance.reference_kind in CERTAIN and value < instance.reference:
        raise ImpossibleAnswer(
            f"{value} misses on {instance.id!r} are fewer than the {instance.reference:.0f} that are proved needed"
        )
    return Judgement(float(value), lost(len(pages), value, instance.reference))


def lost(requests: int, value: float, least: float) -> float:
    """The share of the hits among ``requests`` that are lost by ``value`` misses in place of ``least``, in percent."""
    return 100.0 * (value - least) / max(requests - least, 1.0)


def misses(capacity: int, pages: Sequence[int], log: Sequence[int]) -> int:
    """How many requests miss when the slots of ``log`` are emptied. Raises InvalidAnswer where that cannot be."""
    slots: list[int] = []
    held: set[int] = set()
    count = 0
    for at, (page, emptied) in enumerate(zip(pages, log, strict=True)):
        full = len(slots) == capacity
        if emptied != KEPT and (page in held or not full):
            raise InvalidAnswer(f"request {at} needs no room, yet slot {emptied} was emptied")
        if page in held:
            continue
        count += 1
        if not full:
            slots.append(page)
        elif 0 <= emptied < capacity:
            held.remove(slots[emptied])
            slots[emptied] = page
        else:
            raise InvalidAnswer(f"request {at} misses in a full cache, yet no slot was emptied")
        held.add(page)
    return count


def figures(instances: Sequence[Instance], values: Sequence[float]) -> tuple[Figure, ...]:
    """Beside the score: the miss ratio over all requests, the optimum's, and the worst class's mean score."""
    rows = [(i, v, i.reference) for i, v in zip(instances, values, strict=True) if i.reference is not None]
    if not rows:
        return ()
    requests = sum(i.size for i, _, _ in rows)
    means = in_classes([i for i, _, _ in rows], [lost(i.size, v, r) for i, v, r in rows])
    worst = max(means, key=means.__getitem__)
    return (
        Figure("miss ratio", 100.0 * sum(v for _, v, _ in rows) / requests, "%"),
        Figure("least miss ratio", 100.0 * sum(r for _, _, r in rows) / requests, "%"),
        Figure(f"worst class ({worst})", means[worst], "%"),
    )
