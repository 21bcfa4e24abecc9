"""Timelines of many lanes, such as every call of a simulated minute."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from discovery.escape import plain
from discovery.pictures.canvas import BLUE, GREEN, GREY, ORANGE, RED, Picture, panels
from evaluators.pictures import Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (ORANGE, BLUE, GREEN, RED, GREY)
"""Of the kinds of spans, in their order."""


def gantt(*timelines: Timeline) -> Picture:
    """Every lane a line, the first one at the top; spans coloured by their kind. Several timelines have a panel
    each, one below the other over the same time."""
    end = max((t.end for t in timelines), default=0.0) or 1.0
    draws: list[Callable[[Axes], None]] = [partial(_draw, timeline=t, end=end) for t in timelines]
    height = sum(min(6.0, 1.6 + 0.02 * len(t.lanes)) for t in timelines)
    return panels("; ".join(map(_told, timelines)), draws, size=(8.0, height), share_x=True)


def _told(timeline: Timeline) -> str:
    lengths = ", ".join(f"{kind} {length:.3g} {timeline.unit}" for kind, length in timeline.lengths.items())
    return f"{timeline.title}, {len(timeline.lanes)} lanes: {lengths or 'nothing happens'}"


def _draw(axes: Axes, *, timeline: Timeline, end: float) -> None:
    from matplotlib.collections import PolyCollection

    for kind, colour in zip(timeline.kinds, COLOURS, strict=False):
        boxes = [
            _box(row, span.start, span.end)
            for row, lane in enumerate(timeline.lanes)
            for span in lane.spans
            if span.kind == kind
        ]
        if boxes:
            axes.add_collection(PolyCollection(boxes, facecolors=colour, linewidths=0, label=plain(kind)))
    axes.set_xlim(0, end)
    axes.set_ylim(max(len(timeline.lanes), 1) - 0.5, -0.5)
    axes.set_yticks([])
    axes.set_xlabel(plain(timeline.unit))
    axes.set_title(plain(timeline.title), loc="left")
    if axes.collections:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _box(row: int, start: float, end: float) -> Sequence[tuple[float, float]]:
    return ((start, row - 0.5), (end, row - 0.5), (end, row + 0.5), (start, row + 0.5))
