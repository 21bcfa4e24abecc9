"""The lineage of a run: who came from whom, the better the higher."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discovery.pictures.canvas import BLUE, GREEN, GREY, ORANGE, RED, Picture, drawn
from discovery.review import Lineage

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {
    "champion": GREEN,
    "promoted": GREEN,
    "archived": BLUE,
    "evicted": ORANGE,
    "scored": GREY,
    "stopped": "#c0a080",
    "noted": GREY,
    "lost": RED,
}
PLAIN = 0.5
"""Width of an edge that does not lead to the champion."""


def lineage(data: Lineage) -> Picture:
    """Samples from left to right, ranks from the best at the top; what has no score in lanes below. The champion's line
    of descent is drawn strongly."""
    stopped = sum(n.state == "stopped" for n in data.nodes)
    text = f"lineage of {len(data.nodes)} entries, {stopped} stopped early; the champion's line is strong"
    return drawn(text, lambda axes: _draw(axes, data), size=(7.5, 4.2))


def _draw(axes: Axes, data: Lineage) -> None:
    from matplotlib.collections import LineCollection

    strong = _line(data)
    at = [(n.x, n.y) for n in data.nodes]
    axes.add_collection(
        LineCollection(
            [(at[p], at[c]) for p, c in data.edges],
            colors=[GREEN if e in strong else "#c8c8c8" for e in data.edges],
            linewidths=[1.8 if e in strong else PLAIN for e in data.edges],
            zorder=1,
        )
    )
    for state, colour in COLOURS.items():
        nodes = [n for n in data.nodes if n.state == state]
        if nodes:
            star = state in ("champion", "promoted")
            axes.scatter(
                [n.x for n in nodes],
                [n.y for n in nodes],
                s=70 if star else 18,
                marker="*" if star else "o",
                color=colour,
                label=f"{state} ({len(nodes)})",
                zorder=2,
            )
    axes.set_yticks(
        [*(y for y, _ in data.ticks), *(y for y, _ in data.lanes)],
        [*(f"{score:.3g}" for _, score in data.ticks), *(name for _, name in data.lanes)],
    )
    axes.invert_yaxis()
    axes.set_xlabel("sample (0: seeds)")
    axes.set_ylabel(f"by rank of the score, {data.unit}")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))


def _line(data: Lineage) -> set[tuple[int, int]]:
    """The edges of first parents from the champion to its root."""
    first: dict[int, int] = {}
    for parent, child in data.edges:
        first.setdefault(child, parent)
    at = next((n for n, node in enumerate(data.nodes) if node.state == "champion"), None)
    found: set[tuple[int, int]] = set()
    while at is not None and at in first:
        found.add((first[at], at))
        at = first[at]
    return found
