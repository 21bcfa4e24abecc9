"""The README's picture: the winner and the best seed by class of instances, on one axis of scores."""

from __future__ import annotations

import math
from typing import Any

from discovery.escape import plain
from discovery.plugins.rendering import render

LEFT, RIGHT, TOP, STEP = 210, 610, 66, 20
MOST_CLASSES = 40


def picture(provenance: dict[str, Any]) -> str | None:
    """An SVG without scripts, links or fonts of its own; None where no class was measured for both."""
    classes = provenance["classes"]
    if classes is None or not classes["rows"]:
        return None
    rows = classes["rows"][:MOST_CLASSES]
    values = [float(row[side]) for row in rows for side in ("own", "seed")]
    ticks = _ticks(min(values), max(values))
    low, high = ticks[0], ticks[-1]

    def x(value: float) -> str:
        return f"{LEFT + (RIGHT - LEFT) * (value - low) / (high - low):.1f}"

    beside = next(
        (b["name"] for b in provenance["scores"]["search"]["beside"] if b["role"] == "seed"), "best seed"
    )
    task = provenance["task"]
    left = len(classes["rows"]) - len(rows)
    more = f" ({left} more classes are not drawn)" if left else ""
    return render(
        "picture.svg.j2",
        title=plain(f"Mean score by class on {classes['split']}, {task['unit']}{more}"),
        seed=plain(f"best seed, {beside}", limit=60),
        height=TOP + STEP * len(rows) + 24,
        ticks=[{"x": x(t), "label": f"{t:.6g}"} for t in ticks],
        rows=[
            {
                "name": plain(row["class"], limit=28),
                "y": TOP + STEP * k,
                "own": x(row["own"]),
                "seed": x(row["seed"]),
            }
            for k, row in enumerate(rows)
        ],
    )


def _ticks(low: float, high: float) -> list[float]:
    """Four to nine round numbers around the values."""
    span = (high - low) or max(abs(high), 1.0)
    raw = span / 5
    unit = 10.0 ** math.floor(math.log10(raw))
    step = next(m * unit for m in (1, 2, 5, 10) if m * unit >= raw)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [k * step for k in range(first, max(last, first + 1) + 1)]
