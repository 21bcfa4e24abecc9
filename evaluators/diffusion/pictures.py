"""A decoding to look at: in which pass each position was unmasked, and how sure the model was over the passes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.pictures import Curve, Curves, Tile, Tiles

Array = npt.NDArray[Any]

ORDER = "in their turn"
STOPPED = "by stopping"


def unmasked(name: str, when: Array, words: Sequence[str], total: int) -> Tiles:
    """The order of unmasking: positions to the right, passes upwards; ``words`` are the tokens as texts."""
    last = int(when.max())
    tiles = tuple(
        Tile(
            left=at,
            right=at + 1,
            bottom=step - 1,
            top=step,
            label=word,
            level=(step - 1) / max(1, last - 1),
            note=f"position {at + 1}: {word!r} in pass {step}",
        )
        for at, (step, word) in enumerate(zip(when.tolist(), words, strict=True))
    )
    return Tiles(
        title=f"{name}: {last} passes in place of {total}",
        caption="Each position of the answer in the pass that unmasked it; the redder, the later.",
        across="position",
        up="forward pass",
        tiles=tiles,
    )


def filled(name: str, fixed: Array, passes: int, words: Sequence[str]) -> Tiles:
    """The same of full decoding that was stopped after ``passes``; what stopping has filled in is told apart."""
    tiles = tuple(
        Tile(
            left=at,
            right=at + 1,
            bottom=min(step, passes) - 1,
            top=min(step, passes),
            label=word,
            note=f"position {at + 1}: {word!r} in pass {min(step, passes)}",
            kind=ORDER if step <= passes else STOPPED,
        )
        for at, (step, word) in enumerate(zip(fixed.tolist(), words, strict=True))
    )
    return Tiles(
        title=f"{name}: stopped after {passes} of {int(fixed.max())} passes",
        caption="Each position of the answer in the pass that unmasked it, and by what.",
        across="position",
        up="forward pass",
        tiles=tiles,
        kinds=(ORDER, STOPPED),
    )


def confidence(name: str, margins: Array, passes: int) -> Curves:
    """Mean margins of all positions, one a pass, up to the pass that ended decoding and to the end of full
    decoding, and the bound of SchED (linear, 7.5 to 2.5) that would have stopped where they reach it."""
    total = len(margins)
    steps = np.arange(1, total + 1)
    bound = 7.5 - 5.0 * steps / total

    def curve(title: str, values: Array) -> Curve:
        return Curve(title, tuple(zip(steps.tolist(), values.tolist(), strict=False)))

    return Curves(
        title=f"{name}: how sure the model was",
        caption="Mean margin of all positions after each pass. SchED as published stops where it reaches its bound.",
        across="forward pass",
        up="logits",
        curves=(
            curve("until the answer stopped", margins[:passes]),
            curve("full decoding", margins),
            curve("SchED's bound", bound),
        ),
    )


def tradeoff(sweeps: Mapping[str, Sequence[tuple[float, float]]], floor: float) -> Curves:
    """What of the quality is kept over the speed-up, a line a rule: pairs (speed-up, share kept), which are sorted
    here. ``floor`` is the share that must be kept."""
    curves = tuple(
        Curve(name, tuple((speed, 100 * kept) for speed, kept in sorted(points)))
        for name, points in sweeps.items()
    )
    right = max((speed for points in sweeps.values() for speed, _ in points), default=1.0)
    return Curves(
        title="Speed and quality",
        caption="Each rule with its bound from strict to loose; what counts lies above the floor.",
        across="speed-up",
        up="quality kept, %",
        curves=(*curves, Curve("floor", ((1.0, 100 * floor), (right, 100 * floor)))),
    )
