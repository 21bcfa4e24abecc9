"""The child's side of ``tsp-construct``: builds a tour city by city where the candidate's number is lowest.

Runs inside the sandbox with numpy and nothing else of the project; it knows no references.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def answer(function: Callable[..., Any], payload: bytes, parameters: Mapping[str, Any]) -> bytes:
    """Run one instance; return the tour as n little-endian int64, beginning at city 0.

    The map is shifted and scaled so that the longer side of its bounding box is 1. At each step the candidate gets
    fresh arrays over the unvisited cities, in the order of their indices; the lowest number goes next, ties to the
    first. Raises TypeError or ValueError with a message for the proposer."""
    both = np.frombuffer(payload, dtype="<f8").astype(np.float64)
    n = len(both) // 2
    x, y = scaled(both[:n], both[n:])
    dx, dy = np.subtract.outer(x, x), np.subtract.outer(y, y)
    far = np.sqrt(dx * dx + dy * dy)
    near = far + np.diag(np.full(n, np.inf))  # a city is not its own neighbour
    left, totals = np.arange(1, n), np.zeros(n)
    for city in range(1, n):
        totals += far[city]
    tour, here = np.zeros(n, dtype="<i8"), 0
    for position in range(1, n):
        if len(left) > 1:
            among = near[np.ix_(left, left)]
            views = (
                far[here, left], far[0, left], totals[left] / (len(left) - 1), among.min(axis=1),
                x[left] - x[here], y[left] - y[here],
            )  # fmt: skip
            chosen = int(numbers(function(*views, **parameters), len(left)).argmin())
        else:
            chosen = 0
        here = int(left[chosen])
        tour[position] = here
        left = np.delete(left, chosen)
        totals -= far[here]
    return tour.tobytes()


def scaled(x: Any, y: Any) -> tuple[Any, Any]:
    """The map with its lower left corner at the origin and its longer side 1 (cities all in one place stay there)."""
    x, y = x - x.min(), y - y.min()
    side = max(x.max(), y.max())
    return (x / side, y / side) if side > 0 else (x, y)


def numbers(result: Any, m: int) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """The candidate's numbers as finite float64[m]."""
    keys = np.asarray(result)
    if keys.dtype.kind not in "iufb" or keys.ndim != 1 or len(keys) != m:
        raise ValueError(
            f"next_city() returned {type(result).__name__} of shape {keys.shape} and type {keys.dtype}; expected one "
            f"number for each of the {m} unvisited cities"
        )
    keys = keys.astype(np.float64, copy=False)
    if not np.isfinite(keys).all():
        raise ValueError(f"next_city() returned {keys[~np.isfinite(keys)][0]}; numbers must be finite")
    return keys
