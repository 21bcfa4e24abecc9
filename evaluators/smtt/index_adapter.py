"""The child's side of ``smtt-index``: builds the sequence job by job from the candidate's priorities.

Whenever the machine is free the candidate gets the waiting jobs and returns one number for each; the lowest goes
first, ties by processing time, then by index. Runs inside the sandbox with numpy and nothing else of the project.
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def answer(function: Callable[..., Any], payload: bytes, parameters: Mapping[str, Any]) -> bytes:
    """Run one instance; return the sequence as n little-endian int64. Raises TypeError or ValueError with a message
    for the proposer. The waiting jobs stay sorted by processing time and index, so that the first lowest priority
    already breaks ties by the rule; the candidate sees them in that order and gets copies."""
    both = np.frombuffer(payload, dtype="<i8").astype(np.int64)
    n = len(both) // 2
    jobs = np.argsort(both[:n], kind="stable")
    lengths, due = both[:n][jobs], both[n:][jobs]
    sequence = np.empty(n, dtype="<i8")
    time = 0
    for position in range(n - 1):
        m = n - position
        keys = priorities(function(lengths[:m].copy(), due[:m].copy(), time, **parameters), m)
        best = int(keys.argmin())
        sequence[position] = jobs[best]
        time += int(lengths[best])
        for column in (jobs, lengths, due):
            column[best : m - 1] = column[best + 1 : m].copy()
    if n:
        sequence[n - 1] = jobs[0]
    return sequence.tobytes()


def priorities(result: Any, m: int) -> "np.ndarray[Any, np.dtype[np.float64]]":
    """The candidate's numbers as finite float64[m]."""
    keys = np.asarray(result)
    if keys.dtype.kind not in "iufb" or keys.ndim != 1 or len(keys) != m:
        raise ValueError(
            f"priority() returned {type(result).__name__} of shape {keys.shape} and type {keys.dtype}; expected one "
            f"number for each of the {m} waiting jobs"
        )
    keys = keys.astype(np.float64, copy=False)
    if not np.isfinite(keys).all():
        raise ValueError(f"priority() returned {keys[~np.isfinite(keys)][0]}; priorities must be finite")
    return keys
