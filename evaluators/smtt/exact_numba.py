"""The solver of :mod:`evaluators.smtt.exact` compiled by numba (extra ``exact``): the same states, to 1000 jobs.

The memo is an open-addressing table keyed by the exact 64-bit state (start time, first, last, longest). Compiled code
cannot be interrupted, so it works in slices: when the table is full enough or the slice is over it gives up the path
it is on and returns to Python, which looks at the clock, grows the table and starts again; finished states are kept,
so only the path is walked anew.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba
import numpy as np
import numpy.typing as npt

from evaluators.smtt.exact import Ordered, OutOfBudget, Solution, witness
from evaluators.smtt.problem import Ints

LARGEST = 1000
"""Most jobs: the compiled recursion needs a frame a job, which fits a thread's stack."""

SLICE = 50_000
"""States between two looks at the clock: some 0.2 s at 500 jobs, half a second at 1000."""

_OPTIMUM = (
    "int64(int64[::1], int64[::1], int64[::1], int64[::1], int64, int64, int64,"
    " uint64[::1], int64[::1], int64[::1], int64[::1])"
)

Function = TypeVar("Function", bound=Callable[..., Any])


def _compiled(signature: str) -> Callable[[Function], Function]:
    """``numba.njit`` with its cache where a folder can be written, else without."""

    def decorate(function: Function) -> Function:
        try:
            return cast("Function", numba.njit(signature, cache=True)(function))
        except RuntimeError:
            return cast("Function", numba.njit(signature)(function))

    return decorate


@_compiled("int64(uint64[::1], uint64)")
def _slot(keys: Any, key: Any) -> Any:
    """Where ``key`` is, or the free slot where it belongs."""
    mask = np.uint64(len(keys) - 1)
    h = key * np.uint64(0x9E3779B97F4A7C15)
    at = (h ^ (h >> np.uint64(32))) & mask
    while keys[at] != np.uint64(0) and keys[at] != key:
        at = (at + np.uint64(1)) & mask
    return np.int64(at)


@_compiled("void(uint64[::1], int64[::1], uint64[::1], int64[::1])")
def _copy(keys: Any, values: Any, new_keys: Any, new_values: Any) -> None:
    for i in range(len(keys)):
        if keys[i] != np.uint64(0):
            at = _slot(new_keys, keys[i])
            new_keys[at] = keys[i]
            new_values[at] = values[i]


@_compiled(_OPTIMUM)
def _optimum(
    p: Any,
    d: Any,
    rank: Any,
    arena: Any,
    at: Any,
    m: Any,
    start: Any,
    keys: Any,
    values: Any,
    choices: Any,
    count: Any,
) -> Any:
    """Least total tardiness of the ``m`` jobs at ``arena[at:]``, or -1 when the slice is over.

    ``count`` is [states, end of the slice, bits of a job]."""
    end = start
    for i in range(at, at + m):
        end += p[arena[i]]
    while m > 0 and d[arena[at + m - 1]] >= end:
        m -= 1
        end -= p[arena[at + m]]
    time = start
    late = 0
    total = 0
    all_late = True
    place = at
    for i in range(at, at + m):
        x = arena[i]
        time += p[x]
        if time > d[x]:
            late += 1
            total += time - d[x]
        if start + p[x] < d[x]:
            all_late = False
        if rank[x] > rank[arena[place]]:
            place = i
    if late <= 1:
        return total
    free = at + m
    if all_late:
        for i in range(m):
            arena[free + i] = p[arena[at + i]]
        lengths = np.sort(arena[free : free + m])
        time = start
        total = 0
        for i in range(m):
            time += lengths[i]
            total += time - d[arena[at + i]]
        return total
    longest = arena[place]
    bits = count[2]
    key = np.uint64(((((start << bits) | arena[at]) << bits | arena[at + m - 1]) << bits | longest) + 1)
    slot = _slot(keys, key)
    if keys[slot] != np.uint64(0):
        return values[slot]
    if count[0] >= count[1]:
        return -1
    best = -1
    chosen = 0
    completion = start
    for i in range(at, place + 1):
        completion += p[arena[i]]
    needed = completion
    behind = at + m - place - 1
    for r in range(behind + 1):
        if r > 0:
            x = arena[place + r]
            completion += p[x]
            needed = max(needed, d[x] + p[x])
        if completion < needed or (r < behind and completion >= d[arena[place + r + 1]]):
            continue
        cost = max(0, completion - d[longest])
        if 0 <= best <= cost:
            continue
        size = 0
        for i in range(at, place + r + 1):
            if i != place:
                arena[free + size] = arena[i]
                size += 1
        part = _optimum(p, d, rank, arena, free, size, start, keys, values, choices, count)
        if part < 0:
            return -1
        cost += part
        if 0 <= best <= cost:
            continue
        size = 0
        for i in range(place + r + 1, at + m):
            arena[free + size] = arena[i]
            size += 1
        part = _optimum(p, d, rank, arena, free, size, completion, keys, values, choices, count)
        if part < 0:
            return -1
        cost += part
        if best < 0 or cost < best:
            best = cost
            chosen = r
    slot = _slot(keys, key)
    keys[slot] = key
    values[slot] = best
    choices[slot] = chosen
    count[0] += 1
    return best


def takes(processing_times: Ints) -> bool:
    """Whether the instance is small enough and each of its states fits 64 bits."""
    n = len(processing_times)
    return n <= LARGEST and int(processing_times.sum()).bit_length() + 3 * _bits(n) <= 63


def _bits(n: int) -> int:
    return max(1, (n - 1).bit_length())


def solve(
    processing_times: Ints, due_dates: Ints, *, states: int | None = None, seconds: float | None = None
) -> Solution:
    """As :func:`evaluators.smtt.exact.solve`, with the same optimum, witness and state count.

    Raises OutOfBudget, and ValueError for an instance that it does not take."""
    n = len(processing_times)
    if not takes(processing_times):
        raise ValueError(f"{n} jobs of {processing_times.sum()} time units; a state does not fit 64 bits")
    problem = Ordered.of(processing_times, due_dates)
    bits = _bits(n)
    deadline = None if seconds is None else clock.perf_counter() + seconds
    p, d, rank = (np.array(a, dtype=np.int64) for a in (problem.p, problem.d, problem.rank))
    arena = np.empty(n * (n + 5) // 2 + n + 8, dtype=np.int64)
    keys, values, choices = _table(1 << 14)
    count = np.array([0, 0, bits], dtype=np.int64)
    while True:
        if states is not None and count[0] >= states:
            raise OutOfBudget(f"more than {states} states")
        if deadline is not None and clock.perf_counter() > deadline:
            raise OutOfBudget("out of time")
        if 2 * count[0] >= len(keys):
            keys, values, choices = _grown(keys, values, choices)
        count[1] = min(count[0] + SLICE, len(keys) * 5 // 8, count[0] + SLICE if states is None else states)
        arena[:n] = np.arange(n)
        optimum = int(_optimum(p, d, rank, arena, 0, n, 0, keys, values, choices, count))
        if optimum >= 0:
            break

    def choice(first: int, last: int, longest: int, start: int) -> int:
        key = ((((start << bits) | first) << bits | last) << bits | longest) + 1
        return int(choices[_slot(keys, np.uint64(key))])

    return Solution(optimum, witness(problem, choice), int(count[0]))


Table = tuple[npt.NDArray[np.uint64], Ints, Ints]


def _table(size: int) -> Table:
    return np.zeros(size, dtype=np.uint64), np.zeros(size, dtype=np.int64), np.zeros(size, dtype=np.int64)


def _grown(keys: npt.NDArray[np.uint64], values: Ints, choices: Ints) -> Table:
    """A table four times as large with the same entries."""
    new_keys, new_values, new_choices = _table(4 * len(keys))
    _copy(keys, values, new_keys, new_values)
    _copy(keys, choices, new_keys, new_choices)
    return new_keys, new_values, new_choices
