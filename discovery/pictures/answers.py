"""Candidates beside one another on instances: measured in the sandbox, drawn by the task's own family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING

from discovery.errors import NothingValid, UsageError
from discovery.escape import plain
from discovery.execution.base import StageJob, StageResult
from discovery.execution.make import make_executor
from discovery.pictures.canvas import GREY, Picture, panels
from discovery.review.stored import class_means
from evaluators.task import Instance, InstanceSet, Pictured, Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

REFERENCE = "optimal"
"""The name under which the shipped witness is drawn."""


def measured(
    task: Task, codes: Mapping[str, str], instances: InstanceSet, *, unsafe: bool = False
) -> dict[str, StageResult]:
    """Each of ``codes`` on the instances, in the sandbox; answers and scores by name.

    Raises NothingValid for one that has no score, SandboxUnavailable when this machine cannot isolate."""
    executor = make_executor(task, "local", 1, unsafe=unsafe)
    try:
        jobs = {name: executor.submit(StageJob(code, instances, {})) for name, code in codes.items()}
        found = {name: job.result() for name, job in jobs.items()}
    finally:
        executor.close()
    for name, result in found.items():
        if result.outcome != "scored":
            raise NothingValid(f"{name} has no score on {instances.name}: {result.outcome}: {result.reason}")
    return found


def answers(task: Task, instance: Instance, given: Mapping[str, bytes]) -> Picture:
    """Answers to one instance one below the other, under the shipped optimal one where there is one.

    Raises UsageError for a task that draws no answers; InvalidAnswer."""
    if not isinstance(task, Pictured):
        raise UsageError(f"task {task.name!r} draws no answers")
    witness = task.witness(instance)
    shown = {REFERENCE: witness, **given} if witness is not None else dict(given)
    titles: list[str] = []
    draws: list[Callable[[Axes], None]] = []
    for name, answer in shown.items():
        judged = task.judge(instance, answer)
        titles.append(f"{plain(name, limit=40)}: {judged.value:g} ({judged.score:.3g} {task.unit})")
        draws.append(partial(_answer, task=task, instance=instance, answer=answer, title=titles[-1]))
    text = f"answers to {instance.id}: {'; '.join(titles)}"
    return panels(text, draws, size=(8.0, 1.35 * len(draws)), share_x=True)


def by_class(task: Task, instances: InstanceSet, scores: Mapping[str, tuple[float, ...]]) -> Picture:
    """Mean scores by class of several candidates, each in a panel of its own with the same scale."""
    means = {name: class_means(instances, own) for name, own in scores.items()}
    values = [v for own in means.values() for v in own.values()]
    low, high = min(values), max(values)
    draws: list[Callable[[Axes], None]] = [
        partial(_classes, task=task, means=own, low=low, high=high, title=plain(name, limit=40))
        for name, own in means.items()
    ]
    columns = min(3, len(draws))
    size = (3.1 * columns, 2.6 * -(-len(draws) // columns))
    worst = {name: max(own.values()) for name, own in means.items()}
    text = f"mean score by class, {task.unit}: " + ", ".join(f"{n} up to {w:.3g}" for n, w in worst.items())
    return panels(text, draws, size=size, columns=columns)


def _answer(axes: Axes, *, task: Pictured, instance: Instance, answer: bytes, title: str) -> None:
    task.draw_answer(axes, instance, answer)
    axes.set_title(title, loc="left")


def _classes(
    axes: Axes, *, task: Task, means: Mapping[str, float], low: float, high: float, title: str
) -> None:
    if isinstance(task, Pictured):
        task.draw_classes(axes, means, low, high)
    else:
        axes.barh(range(len(means)), list(means.values()), color=GREY)
        axes.set_yticks(range(len(means)), [plain(group, limit=30) for group in means], fontsize=7)
        axes.set_xlim(min(0.0, low), high)
    axes.set_title(title)
