"""The referee: validates a sequence, computes its total tardiness exactly and scores it against the reference."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluators.smtt.problem import decode, total_tardiness
from evaluators.task import Figure, ImpossibleAnswer, Instance, InvalidAnswer, Judgement


def judge(instance: Instance, answer: bytes) -> Judgement:
    """Total tardiness T and the floored gap 100·(T - T*) / max(T*, Σp) in percent.

    The floor keeps instances whose optimum is 0 or tiny in the mean. Raises InvalidAnswer when the answer is not a
    permutation, ImpossibleAnswer when it beats a proved optimum, ValueError when the instance has no reference."""
    processing_times, due_dates = decode(instance.payload)
    n = len(processing_times)
    if len(answer) != 8 * n:
        raise InvalidAnswer(f"the answer has {len(answer)} bytes; {n} jobs need {8 * n}")
    sequence = np.frombuffer(answer, dtype="<i8")
    _check_permutation(sequence, n)
    value = total_tardiness(processing_times, due_dates, sequence)
    if instance.reference is None:
        raise ValueError(
            f"instance {instance.id!r} has no reference; fill in the best baseline's value first"
        )
    if instance.reference_kind == "proved optimum" and value < instance.reference:
        raise ImpossibleAnswer(
            f"total tardiness {value} on {instance.id!r} beats the proved optimum {instance.reference:.0f}"
        )
    floor = max(instance.reference, int(processing_times.sum()))
    return Judgement(float(value), 100.0 * (value - instance.reference) / floor)


def _check_permutation(sequence: np.ndarray[tuple[int], np.dtype[np.int64]], n: int) -> None:
    outside = np.flatnonzero((sequence < 0) | (sequence >= n))
    if len(outside):
        at = int(outside[0])
        raise InvalidAnswer(
            f"position {at} of the sequence holds {int(sequence[at])}; jobs are numbered 0 to {n - 1}"
        )
    counts = np.bincount(sequence, minlength=n)
    if (counts != 1).any():
        twice, missing = int(np.argmax(counts)), int(np.argmin(counts))
        raise InvalidAnswer(
            f"not a permutation: job {twice} occurs {int(counts[twice])} times and job {missing} is missing"
        )


def descriptors(instances: Sequence[Instance], values: Sequence[float]) -> dict[str, float]:
    """The share of instances solved to the reference: rules that are often perfect and sometimes far off are of another
    kind than rules that are always nearly right."""
    known = [(v, i.reference) for i, v in zip(instances, values, strict=True) if i.reference is not None]
    return {"share optimal": sum(v <= r for v, r in known) / len(known) if known else 0.0}


def figures(instances: Sequence[Instance], values: Sequence[float]) -> tuple[Figure, ...]:
    """The usual figures of papers beside the score, over the instances that have a reference.

    Plain mean gap 100·(T - T*)/T* over T* > 0; pooled gap 100·(ΣT - ΣT*)/ΣT*; share of instances solved to the
    reference; the worst class's mean score; how many instances with T* = 0 were missed."""
    rows = [(i, v, i.reference) for i, v in zip(instances, values, strict=True) if i.reference is not None]
    if not rows:
        return ()
    positive = [(v, r) for _, v, r in rows if r > 0]
    found = [Figure("share optimal", 100.0 * sum(v <= r for _, v, r in rows) / len(rows), "%")]
    if positive:
        found.append(
            Figure("plain mean gap", 100.0 * sum((v - r) / r for v, r in positive) / len(positive), "%")
        )
        total = sum(r for _, r in positive)
        found.append(Figure("pooled gap", 100.0 * (sum(v for _, v, _ in rows) - total) / total, "%"))
    classes: dict[str, list[float]] = {}
    for i, v, r in rows:
        floor = max(r, int(decode(i.payload)[0].sum()))
        classes.setdefault(i.group, []).append(100.0 * (v - r) / floor)
    means = {group: sum(scores) / len(scores) for group, scores in classes.items()}
    worst = max(means, key=means.__getitem__)
    found.append(Figure(f"worst class ({worst})", means[worst], "%"))
    zeros = [v for _, v, r in rows if r == 0]
    found.append(Figure("missed among zero optima", float(sum(v > 0 for v in zeros)), f"of {len(zeros)}"))
    return tuple(found)
