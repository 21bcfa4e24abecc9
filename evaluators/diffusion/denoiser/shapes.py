"""The shapes of the two denoisers and how long they were trained."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluators.diffusion.tokens import VOCABULARY, Scale

EPSILON = 1e-6
SHARPNESS = 2.25
"""Queries and keys are normalised, so that attention needs a factor besides that of their width."""
ROTATION = 100.0
"""The slowest of the angles by which queries and keys are turned, as of rotary embeddings (Su et al. 2021), is
about that much smaller than the fastest, one radian a place."""


@dataclass(frozen=True)
class Shape:
    """A bidirectional pre-norm transformer with learned and rotary places and normalised queries and keys; its
    norms have no gain, its layers no bias. ``scale`` gives the lengths of prompt and span in tokens."""

    name: str
    scale: Scale
    width: int
    layers: int
    heads: int
    batch: int
    """Texts a training step."""
    stretches: tuple[int, ...]
    """Steps of the stretches of training."""
    seed: int

    @property
    def length(self) -> int:
        """Tokens of prompt and span."""
        return self.scale.prompt + self.scale.span

    @property
    def steps(self) -> int:
        """Training steps in all."""
        return sum(self.stretches)

    def stretch(self, step: int) -> int:
        """In which stretch of training a step is."""
        return sum(step >= sum(self.stretches[: k + 1]) for k in range(len(self.stretches) - 1))

    def arrays(self) -> dict[str, tuple[int, ...]]:
        """The weights by name and their shapes: rows are outputs."""
        d = self.width
        shapes: dict[str, tuple[int, ...]] = {"tokens": (VOCABULARY, d), "places": (self.length, d)}
        for k in range(self.layers):
            shapes |= {
                f"{k}.qkv": (3 * d, d),
                f"{k}.out": (d, d),
                f"{k}.up": (4 * d, d),
                f"{k}.down": (d, 4 * d),
            }
        return shapes | {"head": (VOCABULARY, d)}

    def angles(self) -> npt.NDArray[np.float64]:
        """By which angles halves of queries and keys are turned, radian: (length, width of a head / 2)."""
        half = self.width // self.heads // 2
        return np.outer(np.arange(self.length), ROTATION ** (-np.arange(half) / half))

    @property
    def parameters(self) -> int:
        """How many numbers the weights are."""
        total = 0
        for rows, columns in self.arrays().values():
            total += rows * columns
        return total


SHAPES = {
    shape.name: shape
    for shape in (
        Shape(
            "small",
            Scale(prompt=16, span=32, items=4),
            128,
            4,
            4,
            batch=64,
            stretches=(7000, 2000, 700),
            seed=8,
        ),
        Shape(
            "long",
            Scale(prompt=20, span=44, items=5),
            128,
            6,
            4,
            batch=48,
            stretches=(5000, 1500, 500, 2500, 2000),
            seed=9,
        ),
    )
}
