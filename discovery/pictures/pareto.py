"""What a better score costs in processor time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discovery.escape import plain
from discovery.pictures.canvas import BLUE, GREY, ORANGE, RED, Picture, drawn, logarithmic
from discovery.pictures.scale import scale
from discovery.review import Pareto

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"seed": ORANGE, "own": GREY, "tuned": BLUE, "submitted": BLUE, "baseline": RED}


def pareto(data: Pareto) -> Picture:
    """Score on search against the mean processor time of a call; the front is a line."""
    front = [p for p in data.points if p.front]
    return drawn(
        f"score against processor time of {len(data.points)} candidates, {len(front)} of them on the front",
        lambda axes: _draw(axes, data),
    )


def _draw(axes: Axes, data: Pareto) -> None:
    if not data.points:
        axes.set_title("nothing measured yet")
        return
    seeds = [p.score for p in data.points if p.kind == "seed"]
    at = scale([p.score for p in data.points], seeds, data.direction)
    for kind, colour in COLOURS.items():
        points = [p for p in data.points if p.kind == kind]
        if points:
            times = [1000 * p.seconds for p in points]
            axes.scatter(times, [at(p.score) for p in points], s=16, color=colour, label=kind)
    front = [p for p in data.points if p.front]
    heights = [at(p.score) for p in front]
    axes.step([1000 * p.seconds for p in front], heights, where="post", color="black", linewidth=0.8)
    for p in data.points:
        if p.kind in ("seed", "baseline"):
            name = p.name if at.shows(p.score) else f"{p.name} ({p.score:.3g})"
            place = (1000 * p.seconds, at(p.score))
            axes.annotate(plain(name, limit=30), place, xytext=(4, 3), textcoords="offset points", fontsize=7)
    logarithmic(axes)
    at.apply(axes)
    axes.set_xlabel("processor time of a call, ms")
    axes.set_ylabel(f"score on search, {data.unit}")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
