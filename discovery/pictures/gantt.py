"""A timeline of many lanes on one pair of axes, such as every call of a simulated minute."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from discovery.escape import plain
from discovery.pictures.canvas import BLUE, GREEN, GREY, ORANGE, RED, Picture, drawn
from evaluators.pictures import Timeline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = (ORANGE, BLUE, GREEN, RED, GREY)
"""Of the kinds of spans, in their order."""


def gantt(timeline: Timeline) -> Picture:
    """Every lane a line, the first one at the top; spans coloured by their kind."""
    spans = [span for lane in timeline.lanes for span in lane.spans]
    shares = []
    for kind in timeline.kinds:
        length = sum(s.end - s.start for s in spans if s.kind == kind)
        shares += [f"{kind} {length:.3g} {timeline.unit}"] if length else []
    text = f"{timeline.title}, {len(timeline.lanes)} lanes: {', '.join(shares) or 'nothing happens'}"
    size = 8.0, min(6.0, 1.6 + 0.02 * len(timeline.lanes))
    return drawn(text, lambda axes: _draw(axes, timeline), size=size)


def _draw(axes: Axes, timeline: Timeline) -> None:
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
    axes.set_xlim(0, timeline.end or 1.0)
    axes.set_ylim(max(len(timeline.lanes), 1) - 0.5, -0.5)
    axes.set_yticks([])
    axes.set_xlabel(plain(timeline.unit))
    axes.set_title(plain(timeline.title), loc="left")
    if axes.collections:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _box(row: int, start: float, end: float) -> Sequence[tuple[float, float]]:
    return ((start, row - 0.5), (end, row - 0.5), (end, row + 0.5), (start, row + 0.5))
