"""The seeded generator of Potts & Van Wassenhove (1982), with its own arithmetic on raw bits.

``p`` ~ U{1 … 100}; with P = Σp, ``d`` ~ U{P(1 - TF - RDD/2) … P(1 - TF + RDD/2)}, TF the tardiness factor and RDD
the range of due dates. Both are kept in hundredths, so that the ends are exact: they are rounded down. A negative
due date is clipped to 0 (the job is late whenever it completes; its tardiness shrinks by a constant). Families:

- ``pvw``: as published; - ``heavy``: lognormal p (median 20, sigma 1.5) clipped to 1 … 1000;
- ``small``: p ~ U{1 … 10}, many ties.

Integers in a range are 64 random bits modulo its length (relative bias below 2**-40).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluators.bits import Bits, draws, stream
from evaluators.smtt.lognormal import processing_times as lognormal
from evaluators.smtt.problem import Ints

FAMILIES = ("pvw", "heavy", "small")
LONGEST = {"pvw": 100, "small": 10}

CELLS = tuple((20 * a, 20 * b) for a in range(1, 5) for b in range(1, 6))
"""The 20 cells of the grid: (TF, RDD) in hundredths."""

OFF_GRID = tuple((20 * a + 10, 20 * b - 10) for a in range(1, 5) for b in range(1, 6))
"""20 cells between the points of the grid: TF in .3 … .9, RDD in .1 … .9."""


@dataclass(frozen=True)
class Spec:
    """Names one generated instance; ``tf`` and ``rdd`` in hundredths."""

    family: str
    n: int
    tf: int
    rdd: int
    seed: int

    @property
    def id(self) -> str:
        return f"{self.family}-n{self.n}-tf{self.tf}-rdd{self.rdd}-s{self.seed}"

    @property
    def group(self) -> str:
        return f"{self.family} n={self.n} TF={self.tf / 100:.1f} RDD={self.rdd / 100:.1f}"


def generate(spec: Spec) -> tuple[Ints, Ints]:
    """Processing times and due dates, each int64[n]."""
    state = stream(FAMILIES.index(spec.family), spec.n, spec.tf, spec.rdd, spec.seed)
    bits = draws(state, 0, 2 * spec.n)
    if spec.family == "heavy":
        processing_times = lognormal(bits[: spec.n])
    else:
        processing_times = 1 + _below(bits[: spec.n], LONGEST[spec.family])
    total = int(processing_times.sum())
    low = total * (200 - 2 * spec.tf - spec.rdd) // 200
    high = total * (200 - 2 * spec.tf + spec.rdd) // 200
    due_dates = np.maximum(low + _below(bits[spec.n :], high - low + 1), 0)
    return processing_times, due_dates


def _below(bits: Bits, end: int) -> Ints:
    return (bits % np.uint64(end)).astype(np.int64)
