"""The travelling salesman in the plane: a closed tour through n cities, as short as possible; distances are Euclidean.

This module holds the problem as bytes, the length of a tour, a simple lower bound and the limits of a call. A tour is a
permutation of 0 … n-1; distances are not rounded.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

LEAST_CITIES = 3
MAX_CITIES = 1000

LIMITS = ((20, 0.25), (50, 0.5), (100, 1.0), (200, 3.0), (500, 15.0), (1000, 60.0))


def limit(n: int) -> float:
    """Seconds of processor time for all decisions of a tour of ``n`` cities, some fifty times what nearest neighbour
    takes with the views that the harness makes."""
    return next(seconds for size, seconds in LIMITS if n <= size)


def encode(x: Floats, y: Floats) -> bytes:
    """The payload of an instance: n abscissas, then n ordinates, little-endian float64."""
    return x.astype("<f8").tobytes() + y.astype("<f8").tobytes()


def decode(payload: bytes) -> tuple[Floats, Floats]:
    """Abscissas and ordinates, each float64[n], read-only."""
    both = np.frombuffer(payload, dtype="<f8").astype(np.float64, copy=False)
    n = len(both) // 2
    return both[:n], both[n:]


def length(x: Floats, y: Floats, tour: Ints | Sequence[int]) -> float:
    """The length of the closed tour. The square root is correctly rounded everywhere, and so is the sum."""
    order = np.asarray(tour, dtype=np.int64)
    dx, dy = x[order] - x[np.roll(order, -1)], y[order] - y[np.roll(order, -1)]
    return math.fsum(np.sqrt(dx * dx + dy * dy).tolist())


def lower_bound(x: Floats, y: Floats) -> float:
    """A simple proved bound: every city has two edges, so half the sum of the two shortest at each."""
    dx, dy = np.subtract.outer(x, x), np.subtract.outer(y, y)
    edges = np.sqrt(dx * dx + dy * dy)
    np.fill_diagonal(edges, np.inf)
    return math.fsum(np.partition(edges, 1, axis=1)[:, :2].ravel().tolist()) / 2
