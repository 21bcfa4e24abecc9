"""Indented lines in columns, such as the loops of a program before and after."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from textwrap import wrap
from typing import TYPE_CHECKING

from discovery.escape import plain
from discovery.pictures.canvas import Picture, panels
from discovery.pictures.gantt import COLOURS
from evaluators.pictures import Column, Outline

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STEP, WIDTH = 2, 52
"""Characters of a step to the right, and of a column."""
LINE = 0.17
"""Height of a line, inches."""


def outline(shown: Outline) -> Picture:
    """Every column a panel, lines coloured by their kind, and below them the column's steps."""
    rows = max(len(_texts(column)) for column in shown.columns)
    draws: list[Callable[[Axes], None]] = [
        partial(_draw, column=column, kinds=shown.kinds, used=shown.used if k == 0 else (), rows=rows)
        for k, column in enumerate(shown.columns)
    ]
    lines = ", ".join(f"{column.name} {len(column.lines)} lines" for column in shown.columns)
    height = LINE * (rows + 2 * bool(shown.used)) + 0.5
    size = (4.2 * len(draws), height)
    return panels(f"{shown.title}: {lines}", draws, size=size, columns=len(draws))


def _texts(column: Column) -> list[tuple[str, str]]:
    """Text and kind of each row, an empty one before the steps."""
    found = [(" " * STEP * line.depth + plain(line.text, limit=WIDTH), line.kind) for line in column.lines]
    if column.steps:
        found.append(("", ""))
    for number, step in enumerate(column.steps, 1):
        first, *more = wrap(plain(step), WIDTH - 4) or [""]
        found += [(f"{number:2}. {first}", ""), *((f"    {text}", "") for text in more)]
    return found


def _draw(axes: Axes, *, column: Column, kinds: tuple[str, ...], used: tuple[str, ...], rows: int) -> None:
    from matplotlib.patches import Patch

    colours = dict(zip(kinds, COLOURS, strict=False))
    for row, (text, kind) in enumerate(_texts(column)):
        tint = (
            {"facecolor": colours[kind], "alpha": 0.3, "linewidth": 0, "pad": 1.0}
            if kind in colours
            else None
        )
        indent = len(text) - len(text.lstrip(" "))
        axes.text(indent, row, text.lstrip(" "), family="monospace", fontsize=8, va="center", bbox=tint)
    axes.set_xlim(0, WIDTH)
    axes.set_ylim(max(rows, 1) - 0.5, -0.5)
    axes.set_axis_off()
    axes.set_title(plain(column.name, limit=WIDTH), loc="left")
    if used:
        handles = [Patch(facecolor=colours[kind], alpha=0.3, label=plain(kind)) for kind in used]
        axes.legend(handles=handles, loc="upper left", bbox_to_anchor=(0.0, 0.0), ncols=len(used))
