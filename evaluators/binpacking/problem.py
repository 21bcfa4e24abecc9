"""Items of integer sizes arrive one at a time; each goes into a bin of capacity C at once and for good. Few bins win.

This module holds the problem as bytes, a lower bound on the bins, and the limits of a call. Sizes are int64 in one
unit, items are numbered 0 … n-1 in the order of their arrival, bins in the order of their opening.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

MAX_ITEMS = 20_000
MAX_CAPACITY = 2**31
"""So that every sum of sizes is exact in int64 and in a float64."""

SECONDS_AN_ITEM = 0.001
LEAST_SECONDS = 0.25


def limit(n: int) -> float:
    """Seconds of processor time for all decisions of an instance of ``n`` items: a millisecond each, some fifty times
    what best fit takes in numpy."""
    return max(LEAST_SECONDS, SECONDS_AN_ITEM * n)


def encode(capacity: int, sizes: Ints) -> bytes:
    """The payload of an instance: the capacity, then n sizes in the order of arrival, little-endian int64."""
    return np.concatenate([[capacity], sizes]).astype("<i8").tobytes()


def decode(payload: bytes) -> tuple[int, Ints]:
    """Capacity and sizes, int64[n], read-only."""
    numbers = np.frombuffer(payload, dtype="<i8").astype(np.int64, copy=False)
    return int(numbers[0]), numbers[1:]


def lower_bound(capacity: int, sizes: Ints) -> int:
    """The bound L2 of Martello & Toth (1990): never below L1 = ⌈Σ sizes / C⌉.

    For a threshold t ≤ C/2, items above C - t are alone among items of at least t, items in (C/2, C - t] need a bin
    each, and what the items in [t, C/2] take beyond the room left in those bins needs bins of its own; the bound is
    the largest over all t."""
    ordered = np.sort(sizes)[::-1]
    total = np.concatenate([[0], np.cumsum(ordered)])
    large = int(np.searchsorted(-ordered, -(capacity / 2), side="left"))  # how many are above C/2
    best = -(-int(total[-1]) // capacity)
    for t in {0, *ordered[large:].tolist()}:
        alone = int(np.searchsorted(-ordered, -(capacity - t), side="left"))  # above C - t
        alone = min(alone, large)
        end = int(np.searchsorted(-ordered, -t, side="right"))  # of at least t
        room = (large - alone) * capacity - int(total[large] - total[alone])
        small = int(total[end] - total[large])
        best = max(best, large + max(0, -(-(small - room) // capacity)))
    return best
