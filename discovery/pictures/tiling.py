"""Rectangles on two axes, such as the buffers of a program in memory over time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from discovery.escape import plain
from discovery.pictures.canvas import Picture, panels
from discovery.pictures.gantt import COLOURS
from evaluators.pictures import Tile, Tiles

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def tiling(*charts: Tiles) -> Picture:
    """Every tile a rectangle, coloured by its kind or by its level, and every mark a dashed line. Several charts have a
    panel each, one below the other on the same axes."""
    end = max((chart.end for chart in charts), default=0.0) or 1.0
    top = max((chart.top for chart in charts), default=0.0) or 1.0
    draws: list[Callable[[Axes], None]] = [partial(_draw, chart=c, end=end, top=top) for c in charts]
    return panels("; ".join(map(_told, charts)), draws, size=(8.0, 2.6 * len(charts) + 0.4), share_x=True)


def _told(chart: Tiles) -> str:
    marks = ", ".join(f"{mark.name} {mark.at:.6g}" for mark in chart.marks)
    return f"{chart.title}, {len(chart.tiles)} tiles{': ' if marks else ''}{marks}"


def _draw(axes: Axes, *, chart: Tiles, end: float, top: float) -> None:
    from matplotlib import colormaps
    from matplotlib.collections import PolyCollection

    for kind in chart.used or ("",):
        tiles = [tile for tile in chart.tiles if not chart.kinds or tile.kind == kind]
        levels = [colormaps["YlOrRd"](0.05 + 0.8 * tile.level) for tile in tiles]
        colours = COLOURS[chart.kinds.index(kind)] if kind else levels
        axes.add_collection(
            PolyCollection(
                [_box(tile) for tile in tiles],
                facecolors=colours,
                edgecolors="#666666",
                linewidths=0.3,
                label=plain(kind),
            )
        )
    for mark in chart.marks:
        axes.axhline(mark.at, color="black", linewidth=0.8, linestyle="--")
        axes.annotate(
            plain(mark.name),
            (end, mark.at),
            xytext=(3, 0),
            textcoords="offset points",
            fontsize=7,
            va="center",
        )
    axes.set_xlim(0, end)
    axes.set_ylim(0, 1.02 * top)
    axes.set_xlabel(plain(chart.across))
    axes.set_ylabel(plain(chart.up))
    axes.set_title(plain(chart.title), loc="left")
    if chart.used:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))


def _box(tile: Tile) -> Sequence[tuple[float, float]]:
    return (
        (tile.left, tile.bottom),
        (tile.right, tile.bottom),
        (tile.right, tile.top),
        (tile.left, tile.top),
    )
