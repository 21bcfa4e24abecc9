"""Candidates beside one another on instances: measured in the sandbox, in the pictures of the task's own family."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from math import nan
from typing import TYPE_CHECKING

from discovery.errors import NothingValid, UsageError
from discovery.escape import plain
from discovery.execution.base import StageJob, StageResult
from discovery.execution.make import make_executor
from discovery.pictures.canvas import GREY, Picture, panels
from discovery.pictures.gantt import gantt
from discovery.pictures.lines import lines, merged
from discovery.pictures.outline import outline
from discovery.pictures.tiling import tiling
from discovery.review.stored import class_means
from evaluators.pictures import Curves, Grid, Gridded, Lane, Outline, Pictured, Tiles, Timeline
from evaluators.pictures import Picture as Data
from evaluators.task import Instance, InstanceSet, Task, mean_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
READABLE = 0.016
"""Length of a span, relative to the whole, from which it carries its label."""


def measured(
    task: Task, codes: Mapping[str, str], instances: InstanceSet, *, unsafe: bool = False
) -> dict[str, StageResult]:
    """Each of ``codes`` on the instances, in the sandbox; answers and scores by name. What a task wants kept over a
    whole set is asked of none: these are to be looked at.

    Raises NothingValid for one that has no score, SandboxUnavailable when this machine cannot isolate."""
    executor = make_executor(task, "local", 1, unsafe=unsafe)
    try:
        jobs = {
            name: executor.submit(StageJob(code, instances, {}, part=True)) for name, code in codes.items()
        }
        found = {name: job.result() for name, job in jobs.items()}
    finally:
        executor.close()
    for name, result in found.items():
        if result.outcome != "scored":
            raise NothingValid(f"{name} has no score on {instances.name}: {result.outcome}: {result.reason}")
    return found


def answers(task: Task, instance: Instance, given: Mapping[str, bytes]) -> Picture:
    """Answers to one instance beside or below one another, and the reference that the task shows with them: the first
    picture of each, all of one kind.

    Raises UsageError for a task without pictures of answers; InvalidAnswer."""
    if not isinstance(task, Pictured):
        raise UsageError(f"task {task.name!r} draws no answers")
    shown: list[tuple[str, str, Data]] = []
    for name, answer in given.items():
        score = f"(score {task.judge(instance, answer).score:.3g} {task.unit})"
        shown.append((plain(name, limit=40), score, task.pictures(instance, answer)[0]))
    if outlines := [(f"{name} {score}", c) for name, score, c in shown if isinstance(c, Outline)]:
        return outline(_merged(outlines))
    if curves := [(f"{name} {score}", c) for name, score, c in shown if isinstance(c, Curves)]:
        return lines(merged(curves))
    if areas := [replace(c, title=f"{name} {score}") for name, score, c in shown if isinstance(c, Tiles)]:
        return tiling(*areas)
    timelines = [(name, score, c) for name, score, c in shown if isinstance(c, Timeline)]
    if charts := [replace(c, title=f"{name} {score}") for name, score, c in timelines if c.kinds]:
        return gantt(*charts)
    return _lanes(instance, timelines)


def _merged(outlines: Sequence[tuple[str, Outline]]) -> Outline:
    """What answers are compared with once, and then each of them under its name."""
    _, first = outlines[0]
    own = [replace(chart.columns[-1], name=name) for name, chart in outlines]
    return replace(first, columns=(*first.columns[:-1], *own))


def _lanes(instance: Instance, timelines: Sequence[tuple[str, str, Timeline]]) -> Picture:
    """References, each once, above the answers."""
    drawn: dict[str, Lane] = {}
    further: dict[str, Lane] = {}
    for name, score, chart in timelines:
        own, *beside = chart.lanes
        drawn[f"{name}: {own.total} {score}"] = own
        further |= {f"{lane.name}: {lane.total}": lane for lane in beside}
    lanes = {**further, **drawn}
    end = max((s.end for lane in lanes.values() for s in lane.spans), default=1.0)
    draws: list[Callable[[Axes], None]] = [
        partial(_lane, lane=lane, title=title, end=end) for title, lane in lanes.items()
    ]
    text = f"answers to {instance.id}: {'; '.join(lanes)}"
    return panels(text, draws, size=(8.0, 0.95 * len(draws) + 0.25), share_x=True)


def by_class(task: Task, instances: InstanceSet, scores: Mapping[str, tuple[float, ...]]) -> Picture:
    """Mean scores by class of several candidates, each in a panel of its own with the same scale."""
    means = {name: class_means(instances, own, mean_of(task)) for name, own in scores.items()}
    values = [v for own in means.values() for v in own.values()]
    low, high = min(values), max(values)
    if isinstance(task, Gridded):
        grids = {name: task.grid(own) for name, own in means.items()}
        shown = [v for g in grids.values() for row in g.values for v in row if v is not None]
        low, high = min(shown, default=low), max(shown, default=high)
        draws: list[Callable[[Axes], None]] = [
            partial(_grid, grid=g, low=low, high=high, title=plain(name, limit=40))
            for name, g in grids.items()
        ]
    else:
        draws = [
            partial(_bars, means=own, high=high, title=plain(name, limit=40)) for name, own in means.items()
        ]
    columns = min(3, len(draws))
    size = (3.1 * columns, 2.6 * -(-len(draws) // columns))
    worst = {name: max(own.values()) for name, own in means.items()}
    text = f"mean score by class, {task.unit}: " + ", ".join(f"{n} up to {w:.3g}" for n, w in worst.items())
    return panels(text, draws, size=size, columns=columns)


def _lane(axes: Axes, *, lane: Lane, title: str, end: float) -> None:
    """Bars over time, coloured by their level."""
    from matplotlib import colormaps

    colours = [colormaps["YlOrRd"](0.05 + 0.8 * span.level) for span in lane.spans]
    starts, lengths = [s.start for s in lane.spans], [s.end - s.start for s in lane.spans]
    axes.barh(
        [0.0] * len(starts),
        lengths,
        left=starts,
        height=0.8,
        color=colours,
        edgecolor="#666666",
        linewidth=0.3,
    )
    for span in lane.spans:
        if span.end - span.start >= READABLE * end:
            middle = (span.start + span.end) / 2
            axes.text(middle, 0, span.label, ha="center", va="center", fontsize=5, clip_on=True)
    axes.set_yticks([])
    axes.set_xlim(0, end)
    axes.set_title(title, loc="left", fontsize=9)


def _grid(axes: Axes, *, grid: Grid, low: float, high: float, title: str) -> None:
    shown = [[nan if v is None else v for v in row] for row in grid.values]
    axes.imshow(shown, cmap="cividis_r", vmin=low, vmax=high, aspect="auto")
    for y, row in enumerate(grid.values):
        for x, value in enumerate(row):
            if value is not None:
                colour = "white" if value > low + 0.6 * (high - low) else "black"
                axes.text(x, y, f"{value:.2g}", ha="center", va="center", fontsize=7, color=colour)
    axes.set_xticks(range(len(grid.columns)), grid.columns)
    axes.set_yticks(range(len(grid.rows)), grid.rows)
    axes.set_xlabel(grid.column)
    axes.set_ylabel(grid.row)
    axes.set_title(title)


def _bars(axes: Axes, *, means: Mapping[str, float], high: float, title: str) -> None:
    axes.barh(range(len(means)), list(means.values()), color=GREY)
    axes.set_yticks(range(len(means)), [plain(group, limit=30) for group in means], fontsize=7)
    axes.set_xlim(min(0.0, *means.values()), high or 1.0)
    axes.set_title(title)
