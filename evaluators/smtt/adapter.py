"""The child's side of ``smtt``: hands an instance to the candidate and turns its answer into bytes.

Runs inside the sandbox with numpy and nothing else of the project; it knows no references.
"""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

import numpy as np


def answer(function: Callable[..., Any], payload: bytes, parameters: Mapping[str, Any]) -> bytes:
    """Call the candidate with fresh, writable int64 arrays; return its sequence as n little-endian int64.

    Raises TypeError or ValueError with a message for the proposer."""
    both = np.frombuffer(payload, dtype="<i8").astype(np.int64)
    n = len(both) // 2
    return sequence(function(both[:n].copy(), both[n:].copy(), **parameters), n).astype("<i8").tobytes()


def sequence(result: Any, n: int) -> "np.ndarray[Any, np.dtype[np.int64]]":
    """Any sequence of n integers as int64[n]; whether it is a permutation is the referee's business."""
    if isinstance(result, np.ndarray):
        if result.ndim != 1:
            raise ValueError(f"schedule() returned an array of shape {result.shape}; expected ({n},)")
        if result.dtype.kind not in "iuO":
            raise TypeError(f"schedule() returned an array of {result.dtype}; job indices must be integers")
    elif isinstance(result, str | bytes | bytearray | dict | set | frozenset) or not hasattr(
        result, "__len__"
    ):
        raise TypeError(
            f"schedule() returned {type(result).__name__}; expected a list or array of {n} job indices"
        )
    if len(result) != n:
        raise ValueError(f"schedule() returned {len(result)} jobs; the instance has {n}")
    if isinstance(result, np.ndarray) and result.dtype.kind == "i":
        return result.astype(np.int64)
    items = list(islice(iter(result), n + 1))
    for kind in set(map(type, items)):
        if kind is bool or not issubclass(kind, int | np.integer):
            raise TypeError(
                f"schedule() returned a {kind.__name__} among the job indices; all must be integers"
            )
    if len(items) != n or any(not 0 <= item < n for item in items):
        wrong = next((item for item in items if not 0 <= item < n), None)
        if wrong is None:
            raise ValueError(
                "schedule() returned a sequence that does not hold as many jobs as its length says"
            )
        shown = int(wrong) if abs(wrong) < 2**64 else "a number beyond 64 bits"
        raise ValueError(f"schedule() returned job {shown}; jobs are numbered 0 to {n - 1}")
    return np.array([int(item) for item in items], dtype=np.int64)
