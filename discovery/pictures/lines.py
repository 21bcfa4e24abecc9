"""Lines over one axis, such as learning rates or gaps over the steps of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from discovery.escape import plain
from discovery.pictures.canvas import Picture, logarithmic, panels
from discovery.pictures.gantt import COLOURS
from evaluators.pictures import Curve, Curves

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STYLES = ("-", "--", ":", "-.")
"""What tells lines apart beyond the colours that there are."""


def lines(*charts: Curves) -> Picture:
    """Every curve a line in a colour of its own, named in a legend. Several charts have a panel each, one below the
    other over the same steps."""
    draws: list[Callable[[Axes], None]] = [partial(_draw, chart=chart) for chart in charts]
    return panels("; ".join(map(_told, charts)), draws, size=(7.0, 2.8 * len(charts) + 0.3), share_x=True)


def merged(charts: Sequence[tuple[str, Curves]]) -> Curves:
    """The answers of several charts of one instance under their names, and what they are compared with once."""
    _, first = charts[0]
    own = tuple(replace(chart.curves[0], name=name) for name, chart in charts)
    return replace(first, curves=(*own, *first.curves[1:]))


def _told(chart: Curves) -> str:
    ends = ", ".join(f"{c.name} {c.points[-1][1]:.3g}" for c in chart.curves if c.points)
    return f"{chart.title}, {chart.up} at the end: {ends}"


def _draw(axes: Axes, *, chart: Curves) -> None:
    for number, curve in enumerate(chart.curves):
        _line(axes, curve, COLOURS[number % len(COLOURS)], STYLES[number // len(COLOURS) % len(STYLES)])
    if chart.logarithmic:
        logarithmic(axes, along="y")
        axes.set_ylim(0.9 * chart.bottom, 1.1 * chart.top)
    else:
        axes.set_ylim(chart.bottom, 1.02 * chart.top or 1.0)
    axes.set_xlim(0, chart.end or 1.0)
    axes.set_xlabel(plain(chart.across))
    axes.set_ylabel(plain(chart.up))
    axes.set_title(plain(chart.title), loc="left")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _line(axes: Axes, curve: Curve, colour: str, style: str) -> None:
    across, up = zip(*curve.points, strict=True) if curve.points else ((), ())
    axes.plot(across, up, color=colour, linestyle=style, linewidth=1.5, label=plain(curve.name, limit=60))
