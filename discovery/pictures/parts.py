"""What an explanation found: the worth of each part of the code, and the curve of each parameter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from discovery.escape import plain
from discovery.explain import Explanation
from discovery.pictures.canvas import BLUE, GREEN, GREY, RED, Picture, drawn, panels

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from discovery.explain.ablation import Edit
    from discovery.explain.judging import Judged
    from discovery.explain.sensitivity import Step

COLOURS = {"removable": GREEN, "open": GREY, "matters": RED, "fails": RED}
LEAST, MOST = -0.6, 0.2
"""Ends of the gains that are drawn in their place; beyond they stand at the edge."""
HALF = 30
"""Characters of either side of an edit in a label."""


def parts(found: Explanation) -> Picture:
    """The gain of each ablation with its 95 % interval; left of the line the part is missed."""
    rows = sorted(found.judged, key=lambda j: j.comparison.gain if j.comparison.gain is not None else -9e9)
    removable = sum(j.verdict == "removable" for j in rows)
    text = f"{len(rows)} ablations: {removable} removable, {sum(j.verdict == 'matters' for j in rows)} matter"
    return drawn(text, lambda axes: _parts(axes, rows), size=(8.0, 0.9 + 0.2 * len(rows)))


def _parts(axes: Axes, rows: Sequence[Judged]) -> None:
    for n, row in enumerate(rows):
        gain, low, high = (getattr(row.comparison, name) for name in ("gain", "low", "high"))
        colour = COLOURS[row.verdict]
        if gain is None:
            axes.text(100 * LEAST, n, f" {row.comparison.outcome}", va="center", fontsize=7, color=colour)
        elif gain < LEAST:
            axes.text(100 * LEAST, n, f" ◂ {100 * gain:.0f} %", va="center", fontsize=7, color=colour)
        else:
            shown = min(gain, MOST)
            axes.plot([100 * max(low, LEAST), 100 * min(high, MOST)], [n, n], color=colour, linewidth=1)
            axes.plot([100 * shown], [n], "o", markersize=3.5, color=colour)
    axes.axvline(0, color="black", linewidth=0.8)
    axes.set_xlim(100 * LEAST, 100 * MOST)
    labels = [_label(j.variant.edits[0]) for j in rows]
    axes.set_yticks(range(len(rows)), labels, fontsize=6.5, family="monospace")
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.set_xlabel("gain without the part, % (green: may go, red: matters, grey: open)")


def _label(edit: Edit) -> str:
    after = plain(edit.after, limit=HALF) or "nothing"
    return f"{edit.line}:{edit.column} {plain(edit.before, limit=HALF)} → {after}"


def curves(found: Explanation) -> Picture | None:
    """The gain over the defaults along each parameter's range, with 95 % intervals; None without parameters."""
    sensitivity = found.sensitivity
    if sensitivity is None:
        return None
    shares = sensitivity.importance
    draws: list[Callable[[Axes], None]] = []
    for name, steps in sensitivity.curves.items():
        share = f", importance {100 * shares[name]:.0f} %" if shares else ""
        title = f"{plain(name, limit=30)}{share}"
        draws.append(
            partial(_curve, steps=steps, title=title, default=found.subject.candidate.defaults[name])
        )
    columns = min(3, len(draws))
    rows = -(-len(draws) // columns)
    return panels(
        f"curves of {', '.join(sensitivity.curves)}",
        draws,
        size=(2.8 * columns + 0.6, 2.4 * rows),
        columns=columns,
    )


def _curve(axes: Axes, *, steps: Sequence[Step], title: str, default: object) -> None:
    scored = [s for s in steps if s.gain is not None and s.low is not None and s.high is not None]
    words = any(isinstance(s.value, str) for s in steps)
    at = [n if words else float(s.value) for n, s in enumerate(scored)]
    gains = [100 * max(s.gain or 0.0, -1.0) for s in scored]
    low = [g - 100 * max(s.low or 0.0, -1.2) for g, s in zip(gains, scored, strict=True)]
    high = [100 * (s.high or 0.0) - g for g, s in zip(gains, scored, strict=True)]
    axes.errorbar(
        at,
        gains,
        yerr=[[max(x, 0.0) for x in low], [max(x, 0.0) for x in high]],
        fmt="o-",
        markersize=3,
        color=BLUE,
    )
    axes.axhline(0, color="black", linewidth=0.8)
    if words:
        axes.set_xticks(range(len(scored)), [plain(str(s.value), limit=12) for s in scored])
    elif isinstance(default, int | float):
        axes.axvline(default, color=GREEN, linewidth=1, linestyle="--")
    axes.set_title(title)
    axes.set_ylabel("gain, %")
