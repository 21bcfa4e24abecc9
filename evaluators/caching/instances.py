"""Traces of eight families, from seeds, with their own arithmetic on raw bits (:class:`evaluators.plain.Draw`).

- ``zipf``: independent requests, popularity falling as a power of the rank;
- ``scan``: the same, interrupted by scans over pages that are requested once;
- ``loop``: a loop over more pages than the cache holds, with some other requests in between;
- ``phase``: a working set that is left for another one;
- ``stack``: the page at a random depth of the stack of recently used pages (the model of Mattson et al. 1970);
- ``index``: every other request goes to a small pool, the rest to a large one (the two-pool experiment of
  O'Neil, O'Neil & Weikum 1993);
- ``drift``: ``zipf`` whose popular pages change little by little;
- ``mixed``: two of the others at once, switching at random.

Weights of a power law are ⌊2³² / rank^(e/4)⌋ by integer roots, so that nothing is rounded differently elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from math import isqrt

import numpy as np
import numpy.typing as npt

from evaluators.caching.problem import Ints, numbered
from evaluators.plain import Draw

STRANGE = 1_000_000
"""Labels from here on are of pages that no other part of the trace requests."""


@dataclass(frozen=True)
class Spec:
    """Names one generated trace: ``n`` requests to a cache of ``capacity`` pages."""

    family: str
    capacity: int
    n: int
    seed: int

    @property
    def id(self) -> str:
        return f"{self.family}-k{self.capacity}-n{self.n}-s{self.seed}"

    @property
    def group(self) -> str:
        return f"{self.family} k={self.capacity}"


def generate(spec: Spec) -> Ints:
    """The page of each request, int64[n], numbered from 1."""
    draw = Draw(f"cache-eviction/{spec.id}")
    return numbered(FAMILIES[spec.family](draw, spec.capacity, spec.n)[: spec.n])


def _one(draw: Draw, low: int, high: int) -> int:
    return int(draw.integers(low, high, 1)[0])


@cache
def _table(pages: int, quarters: int) -> npt.NDArray[np.int64]:
    """Cumulative weights of ranks 1 … pages, falling as rank to the power of minus ``quarters`` / 4."""
    weights = [isqrt(isqrt((1 << 128) // rank**quarters)) for rank in range(1, pages + 1)]
    return np.cumsum(np.array(weights, np.int64))


def _ranks(draw: Draw, pages: int, quarters: int, count: int) -> Ints:
    """int64[count], ranks from 0."""
    table = _table(pages, quarters)
    return np.searchsorted(table, draw.integers(0, int(table[-1]) - 1, count), side="right").astype(np.int64)


def _zipf(draw: Draw, capacity: int, n: int) -> Ints:
    return _ranks(draw, capacity * _one(draw, 4, 12), _one(draw, 2, 5), n)


def _scan(draw: Draw, capacity: int, n: int) -> Ints:
    base = _ranks(draw, capacity * _one(draw, 2, 4), 4, n)
    found: list[Ints] = []
    at = scanned = 0
    while at < n:
        length = _one(draw, 2 * capacity, 6 * capacity)
        scan = _one(draw, capacity // 2, 2 * capacity)
        found += [base[at : at + length], STRANGE + scanned + np.arange(scan)]
        at, scanned = at + length, scanned + scan
    return np.concatenate(found)


def _loop(draw: Draw, capacity: int, n: int) -> Ints:
    length = capacity + _one(draw, 1, capacity)
    others = STRANGE + _ranks(draw, capacity, 4, n)
    return np.where(draw.integers(0, 7, n) == 0, others, np.arange(n) % length)


def _phase(draw: Draw, capacity: int, n: int) -> Ints:
    found: list[Ints] = []
    made = phase = 0
    while made < n:
        length = _one(draw, 4 * capacity, 12 * capacity)
        pages = _one(draw, capacity // 2, 2 * capacity)
        found.append(STRANGE * phase + _ranks(draw, pages, 2, length))
        made, phase = made + length, phase + 1
    return np.concatenate(found)


def _stack(draw: Draw, capacity: int, n: int) -> Ints:
    depths = _ranks(draw, capacity * _one(draw, 3, 8), _one(draw, 2, 4), n).tolist()
    stack: list[int] = []
    found = np.empty(n, np.int64)
    for time, depth in enumerate(depths):
        page = stack.pop(-1 - depth) if depth < len(stack) else time
        found[time] = page
        stack.append(page)
    return found


def _index(draw: Draw, capacity: int, n: int) -> Ints:
    small = draw.integers(0, _one(draw, capacity // 2, 3 * capacity // 2) - 1, n)
    large = STRANGE + draw.integers(0, capacity * _one(draw, 10, 40) - 1, n)
    return np.where(np.arange(n) % 2 == 0, small, large)


def _drift(draw: Draw, capacity: int, n: int) -> Ints:
    return _ranks(draw, capacity * _one(draw, 4, 8), _one(draw, 3, 5), n) + np.arange(n) // _one(draw, 8, 40)


def _mixed(draw: Draw, capacity: int, n: int) -> Ints:
    half = capacity // 2
    first, second = (SIMPLE[_one(draw, 0, len(SIMPLE) - 1)](draw, half, n)[:n] for _ in range(2))
    switch = np.cumsum(draw.integers(0, 2 * half - 1, n) == 0) % 2
    return np.where(switch == 0, first, second + 1000 * STRANGE)


SIMPLE = (_zipf, _loop, _stack, _index)
FAMILIES: dict[str, Callable[[Draw, int, int], Ints]] = {
    "zipf": _zipf,
    "scan": _scan,
    "loop": _loop,
    "phase": _phase,
    "stack": _stack,
    "index": _index,
    "drift": _drift,
    "mixed": _mixed,
}
SEARCHED = ("zipf", "scan", "loop", "phase", "stack", "index")
"""The families of screen, search and gate."""
