"""The two published kinds of instances, from seeds, with their own arithmetic on raw bits (:mod:`evaluators.bits`).

- ``weibull``: capacity 100; sizes from a Weibull law of shape 3 and scale 45, made integers and clipped to 1 … 100
  (Romera-Paredes et al. 2024, after Castiñeiras, De Cauwer & O'Sullivan 2012). Rounding down gives the published
  figures of best and first fit, rounding to the nearest does not (docs/tasks/online-bin-packing.md), so it is down;
- ``or``: capacity 150, sizes uniform on 20 … 100 (the class ``u`` of Falkenauer 1996, OR-Library
  binpack1 to binpack4; 500 items make OR3).

A rounded Weibull is a discrete law, so a table of cumulative probabilities decides it: entry k-1 is
⌊2³²·F(k + 1)⌋ for k = 1 … 99, F(x) = 1 - exp(-(x/45)³), computed in 40-digit decimal arithmetic (module ``decimal``:
correctly rounded, the same everywhere). A draw of 32 bits is then 1 + the number of entries that are not above it.
Integers in a range are 64 random bits modulo its length (relative bias below 2**-40).
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import cache

import numpy as np
import numpy.typing as npt

from evaluators.binpacking.problem import Ints
from evaluators.bits import draws, stream

FAMILIES = ("weibull", "or")
CAPACITIES = {"weibull": 100, "or": 150}
SCALE, SHAPE = 45, 3
LEAST, GREATEST = 20, 100
"""Sizes of the family ``or``."""


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

    @property
    def capacity(self) -> int:
        return CAPACITIES[self.family]


def generate(spec: Spec) -> Ints:
    """The sizes in the order of arrival, int64[n]."""
    bits = draws(stream(FAMILIES.index(spec.family), spec.n, spec.seed), 0, spec.n)
    if spec.family == "weibull":
        return 1 + np.searchsorted(weibull_table(), bits >> np.uint64(32), side="right").astype(np.int64)
    return LEAST + (bits % np.uint64(GREATEST - LEAST + 1)).astype(np.int64)


@cache
def weibull_table() -> npt.NDArray[np.uint64]:
    """Cumulative probabilities of the sizes 1 … 99 in units of 2**-32, uint64[99], ascending."""
    with localcontext() as context:
        context.prec = 40
        points = [(Decimal(k + 1) / SCALE) ** SHAPE for k in range(1, 100)]
        shares = [int(((1 - (-x).exp()) * 2**32).to_integral_value("ROUND_FLOOR")) for x in points]
    return np.array(shares, dtype=np.uint64)
