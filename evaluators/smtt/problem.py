"""One machine, jobs with processing times p and due dates d, all known at time 0: minimise the total tardiness.

Job j that completes at C_j has the tardiness max(0, C_j - d_j). This module holds the problem as bytes and the
objective; times are int64 in one unit, jobs are numbered 0 … n-1 and the machine starts at time 0 without idling.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

MAX_JOBS = 5000
MAX_TOTAL = 2**53
"""n·(Σp + max d) stays below this, so that every sum is exact in int64 and in a float64."""

LIMITS = ((50, 0.25), (100, 0.5), (200, 1.0), (500, 3.0), (1000, 10.0))


def limit(n: int) -> float:
    """Seconds of processor time that one call may take with ``n`` jobs: a rule that a plant can call in real time."""
    for size, seconds in LIMITS:
        if n <= size:
            return seconds
    return LIMITS[-1][1] * n / LIMITS[-1][0]


def encode(processing_times: Ints, due_dates: Ints) -> bytes:
    """The payload of an instance: n processing times, then n due dates, little-endian int64."""
    return processing_times.astype("<i8").tobytes() + due_dates.astype("<i8").tobytes()


def decode(payload: bytes) -> tuple[Ints, Ints]:
    """Processing times and due dates, each int64[n], read-only."""
    both = np.frombuffer(payload, dtype="<i8").astype(np.int64, copy=False)
    n = len(both) // 2
    return both[:n], both[n:]


def total_tardiness(processing_times: Ints, due_dates: Ints, sequence: Ints | Sequence[int]) -> int:
    """The objective of a permutation, exact."""
    order = np.asarray(sequence, dtype=np.int64)
    late = np.cumsum(processing_times[order]) - due_dates[order]
    return int(late[late > 0].sum())


def lower_bound(processing_times: Ints, due_dates: Ints) -> int:
    """A simple proved bound: the larger of the maximum tardiness of EDD (Jackson 1955: no order has a smaller
    maximum) and of Σ max(0, C_i - d_i) over the SPT completion times and the sorted due dates (no order completes
    its i-th job sooner, and pairing both sorted is the cheapest assignment)."""
    edd = np.argsort(due_dates, kind="stable")
    worst = int((np.cumsum(processing_times[edd]) - due_dates[edd]).max(initial=0))
    gaps = np.cumsum(np.sort(processing_times)) - np.sort(due_dates)
    return max(worst, int(gaps[gaps > 0].sum()))
