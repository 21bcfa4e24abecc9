"""Where one candidate wins against another: the paired difference by class, with intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from discovery.escape import plain
from discovery.pictures.canvas import BLUE, GREY, RED, Picture, drawn
from discovery.review import ClassGain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLOURS = {"wins": BLUE, "open": GREY, "loses": RED}


def wins(rows: Sequence[ClassGain], a: str, b: str, unit: str) -> Picture:
    """``rows`` of A over B; right of the line A is better. The intervals hold together at 95 %."""
    count = {v: sum(r.verdict == v for r in rows) for v in COLOURS}
    text = f"{a} against {b} by class: wins {count['wins']}, loses {count['loses']}, {count['open']} open"
    return drawn(text, lambda axes: _draw(axes, rows, a, b, unit), size=(7.0, 0.9 + 0.17 * len(rows)))


def _draw(axes: Axes, rows: Sequence[ClassGain], a: str, b: str, unit: str) -> None:
    for verdict, colour in COLOURS.items():
        own = [(n, r) for n, r in enumerate(rows) if r.verdict == verdict]
        if not own:
            continue
        middle = [r.difference for _, r in own]
        low = [r.difference - (r.low if r.low is not None else r.difference) for _, r in own]
        high = [(r.high if r.high is not None else r.difference) - r.difference for _, r in own]
        axes.errorbar(
            middle, [n for n, _ in own], xerr=[low, high], fmt="o", markersize=3, color=colour, linewidth=1,
            label=f"{verdict} ({len(own)})",
        )  # fmt: skip
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_yticks(range(len(rows)), [plain(r.group, limit=40) for r in rows], fontsize=7)
    axes.set_xlabel(f"← {plain(b, limit=30)} better    {unit}    {plain(a, limit=30)} better →")
    axes.legend(loc="lower right")
