"""The child's side of ``online-bin-packing``: packs item by item where the candidate's priority is highest.

Runs inside the sandbox with numpy and nothing else of the project; it knows no references.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def answer(function: Callable[..., Any], payload: bytes, parameters: Mapping[str, Any]) -> bytes:
    """Run one instance; return the bin of each item as n little-endian int64, bins numbered as they were opened.

    For each item the candidate gets the remaining capacities of the open bins that hold it, in the order of their
    opening, and at the end that of a new bin; ties go to the first. Raises TypeError or ValueError with a message for
    the proposer. Full bins are dropped, since no item fits in them."""
    capacity, *sizes = np.frombuffer(payload, dtype="<i8").tolist()
    places = np.empty(len(sizes), dtype="<i8")
    rest = np.full(len(sizes) + 1, capacity, dtype=np.int64)  # bins that are not full, then the new one
    numbers = np.arange(len(sizes) + 1)
    count = opened = 0
    for at, size in enumerate(sizes):
        fits = np.flatnonzero(rest[: count + 1] >= size)
        keys = priorities(function(size, rest[fits], **parameters), len(fits))
        chosen = int(fits[keys.argmax()])
        if chosen == count:
            numbers[count] = opened
            count, opened = count + 1, opened + 1
        places[at] = numbers[chosen]
        rest[chosen] -= size
        if not rest[chosen]:
            count -= 1
            for column in (rest, numbers):
                column[chosen:count] = column[chosen + 1 : count + 1].copy()
            rest[count] = capacity
    return places.tobytes()


def priorities(result: Any, m: int) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """The candidate's numbers as finite float64[m]."""
    keys = np.asarray(result)
    if keys.dtype.kind not in "iufb" or keys.ndim != 1 or len(keys) != m:
        raise ValueError(
            f"priority() returned {type(result).__name__} of shape {keys.shape} and type {keys.dtype}; expected one "
            f"number for each of the {m} bins"
        )
    keys = keys.astype(np.float64, copy=False)
    if not np.isfinite(keys).all():
        raise ValueError(f"priority() returned {keys[~np.isfinite(keys)][0]}; priorities must be finite")
    return keys
