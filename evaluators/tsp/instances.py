"""Seeded cities with their own arithmetic on raw bits (:mod:`evaluators.bits`): whole millionths of the unit square.

- ``uniform``: both coordinates uniform, as in the literature on learned tours;
- ``clustered``: n/20 centres, uniform; each city belongs to one and lies beside it by the sum of four uniform draws
  from ±1/50 in either direction (a bell without any libm), folded back at the border.

Coordinates are integers divided by 10⁶, a division that is correctly rounded everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluators.bits import Bits, draws, stream
from evaluators.tsp.problem import Floats, Ints

FAMILIES = ("uniform", "clustered")
SIDE = 1_000_000
SPREAD = 20_000
CITIES_A_CENTRE = 20


@dataclass(frozen=True)
class Spec:
    """Names one generated instance."""

    family: str
    n: int
    seed: int

    @property
    def id(self) -> str:
        return f"{self.family}-n{self.n}-s{self.seed}"

    @property
    def group(self) -> str:
        return f"{self.family} n={self.n}"


def generate(spec: Spec) -> tuple[Floats, Floats]:
    """Abscissas and ordinates in the unit square, each float64[n]."""
    state = stream(FAMILIES.index(spec.family), spec.n, spec.seed)
    if spec.family == "uniform":
        both = _below(draws(state, 0, 2 * spec.n), SIDE)
        return both[: spec.n] / SIDE, both[spec.n :] / SIDE
    centres = max(1, spec.n // CITIES_A_CENTRE)
    middles = _below(draws(state, 0, 2 * centres), SIDE).reshape(2, centres)
    owner = _below(draws(state, 2 * centres, spec.n), centres)
    steps = _below(draws(state, 2 * centres + spec.n, 8 * spec.n), 2 * SPREAD + 1) - SPREAD
    places = middles[:, owner] + steps.reshape(2, 4, spec.n).sum(axis=1)
    folded = np.abs(places)
    folded = np.where(folded >= SIDE, 2 * SIDE - 1 - folded, folded)
    return folded[0] / SIDE, folded[1] / SIDE


def _below(bits: Bits, end: int) -> Ints:
    return (bits % np.uint64(end)).astype(np.int64)
