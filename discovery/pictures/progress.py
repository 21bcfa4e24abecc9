"""How a run got better: everything scored, the best so far, the champions, and the known heuristics as lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from discovery.pictures.canvas import BLUE, GREEN, GREY, ORANGE, RED, Picture, drawn
from discovery.pictures.scale import scale
from discovery.review import Curve

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def progress(data: Curve) -> Picture:
    """Score on search over the samples. Scores far worse than the best seed are drawn at the edge."""
    last = data.best[-1] if data.best else None
    best = f"{last.score:.4g} {data.unit} at sample {last.sample}" if last is not None else "nothing scored"
    return drawn(
        f"progress of a run of {data.task}: the best so far is {best}", lambda axes: _draw(axes, data)
    )


def _draw(axes: Axes, data: Curve) -> None:
    if not data.points:
        axes.set_title("nothing scored yet")
        return
    seeds = [s.search for s in data.seeds if s.search is not None]
    known = data.baseline.search if data.baseline is not None else None
    at = scale([p.score for p in data.points] + ([known] if known is not None else []), seeds, data.direction)
    for label, marker, shown in (("scored", "o", True), ("far worse", "^", False)):
        points = [p for p in data.points if at.shows(p.score) is shown]
        if points:
            heights = [at(p.score) for p in points]
            axes.scatter(
                [p.sample for p in points], heights, s=10, marker=marker, color=GREY, alpha=0.6, label=label
            )
    end = max(data.samples, data.points[-1].sample)
    axes.step(
        [*(p.sample for p in data.best), end],
        [*(at(p.score) for p in data.best), at(data.best[-1].score)],
        where="post",
        color=BLUE,
        label="best so far",
    )
    axes.scatter(
        [p.sample for p in data.champions],
        [at(p.score) for p in data.champions],
        s=60,
        marker="*",
        color=GREEN,
        zorder=3,
        label="champions",
    )
    for seed in data.seeds:
        if seed.search is not None and at.shows(seed.search):
            axes.axhline(seed.search, color=ORANGE, linewidth=1, linestyle="--", label=f"seed {seed.name}")
    if data.baseline is not None and known is not None:
        name = f"best baseline {data.baseline.name}"
        axes.axhline(known, color=RED, linewidth=1, linestyle=":", label=name)
    at.apply(axes)
    axes.set_xlabel("sample")
    axes.set_ylabel(f"score on search, {data.unit}")
    axes.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
