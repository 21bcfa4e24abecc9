"""What baselines score: as shipped with the package, published and tuned. Nothing tunes them on the way."""

from __future__ import annotations

from collections.abc import Mapping

from evaluators.task import Task


def best_baseline(task: Task, split: str) -> tuple[str, float] | None:
    """Name and score of the best shipped baseline on ``split`` ("search" or "gate"), tuned or not; None when no scores
    ship for these options. Reference policies do not count."""
    kinds = {name: b.kind for name, b in task.baselines().items()}
    found = [
        (score, name)
        for name, shipped in task.shipped_scores().items()
        if kinds.get(name) == "baseline"
        for score in (shipped.published.get(split), shipped.tuned.get(split))
        if score is not None
    ]
    if not found:
        return None
    score, name = min(found) if task.direction == "minimize" else max(found)
    return name, score


def by_class(task: Task) -> tuple[str, float, Mapping[str, float]] | None:
    """Name, score and mean score of each class of the best shipped baseline on the search split; None where the classes
    do not ship."""
    best = best_baseline(task, "search")
    classes = task.shipped_scores()[best[0]].classes if best is not None else {}
    return (*best, classes) if best is not None and classes else None


def best_of(task: Task, name: str, split: str) -> float | None:
    """The best shipped score of one baseline on ``split``, tuned or not."""
    scores = task.shipped_scores().get(name)
    found = [s.get(split) for s in (scores.published, scores.tuned)] if scores else []
    known = [score for score in found if score is not None]
    return (min if task.direction == "minimize" else max)(known, default=None)


def shipped(task: Task, name: str, split: str) -> float | None:
    """The shipped score of a baseline as published."""
    scores = task.shipped_scores().get(name)
    return scores.published.get(split) if scores else None
