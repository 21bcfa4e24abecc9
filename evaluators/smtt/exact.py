"""Proves optima of total tardiness: Lawler's decomposition with position elimination and a memo, in pure Python.

Sources: Lawler, "A pseudopolynomial algorithm for sequencing jobs to minimize total tardiness" (1977); Potts & Van
Wassenhove, "A decomposition algorithm for the single machine total tardiness problem" (1982); Szwarc, Della Croce &
Grosso, "Solution of the single machine total tardiness problem" (1999), for the elimination of positions.

Jobs are numbered in the order of their due dates (ties: shorter first). In some optimal sequence the longest job k
of a set stands at one of the positions at or behind its own, with exactly the jobs of the earlier positions before
it. So every subproblem is "the jobs from i to j that are not longer than k, from time t on", and the memo's key
(i, j, k, t) is exact: no hash decides anything. Ties in length: the later in the order counts as longer.

A position r of k is tried only if C_r < d_{r+1} and C_r >= d_i + p_i for every i in k+1 … r, where C_r is when k
would complete there. A set ends the recursion if at most one job is late in due-date order (optimal), or if every
job is late even when first (shortest first is optimal); last jobs that cannot be late are stripped.

The recursion goes one level deeper for each job taken out, so it needs at most n frames; meant for n <= 200.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evaluators.smtt.problem import Ints

VERSION = "lawler-memo-1"
"""Changes whenever optimum, witness or state count of any instance could change."""

LARGEST = 200
"""Most jobs for the pure solver: its recursion fits Python's default limit with room to spare."""

Key = tuple[int, int, int, int]


class OutOfBudget(Exception):
    """The limit of states or seconds was reached before the proof was complete."""


@dataclass(frozen=True)
class Solution:
    """A proved optimum, an optimal sequence (job indices of the instance) as its witness, and the memo's size."""

    optimum: int
    sequence: tuple[int, ...]
    states: int


@dataclass(frozen=True)
class Ordered:
    """An instance in due-date order. ``jobs`` maps back; ``rank`` orders by length, ties by position."""

    p: list[int]
    d: list[int]
    rank: list[int]
    jobs: list[int]

    @classmethod
    def of(cls, processing_times: Ints, due_dates: Ints) -> Ordered:
        jobs = np.lexsort((processing_times, due_dates))
        p, d = processing_times[jobs], due_dates[jobs]
        rank = np.empty(len(jobs), dtype=np.int64)
        rank[np.argsort(p, kind="stable")] = np.arange(len(jobs))
        return cls(p.tolist(), d.tolist(), rank.tolist(), jobs.tolist())


def solve(
    processing_times: Ints, due_dates: Ints, *, states: int | None = None, seconds: float | None = None
) -> Solution:
    """The optimum and a witness. Raises OutOfBudget when more than ``states`` memo entries or ``seconds`` of wall
    clock are needed, ValueError when n is above :data:`LARGEST`."""
    n = len(processing_times)
    if n > LARGEST:
        raise ValueError(f"{n} jobs; the pure-Python solver takes at most {LARGEST}")
    problem = Ordered.of(processing_times, due_dates)
    memo: dict[Key, tuple[int, int]] = {}
    deadline = None if seconds is None else clock.perf_counter() + seconds
    optimum = _optimum(
        problem, list(range(n)), 0, memo, len(memo) + states if states is not None else None, deadline
    )
    sequence = witness(problem, lambda *key: memo[key][1])
    return Solution(optimum, sequence, len(memo))


def _optimum(
    problem: Ordered,
    members: list[int],
    start: int,
    memo: dict[Key, tuple[int, int]],
    most: int | None,
    deadline: float | None,
) -> int:
    """The least total tardiness of ``members`` (in order; consumed) from ``start`` on."""
    p, d, rank = problem.p, problem.d, problem.rank
    end = start + sum([p[x] for x in members])
    while members and d[members[-1]] >= end:
        end -= p[members.pop()]
    simple = _simple(p, d, members, start)
    if simple is not None:
        return simple[0]
    longest = max(members, key=rank.__getitem__)
    key = (members[0], members[-1], longest, start)
    known = memo.get(key)
    if known is not None:
        return known[0]
    if most is not None and len(memo) >= most:
        raise OutOfBudget(f"more than {most} states")
    if deadline is not None and clock.perf_counter() > deadline:
        raise OutOfBudget("out of time")
    place = members.index(longest)
    before, behind = members[:place], members[place + 1 :]
    best, chosen = -1, 0
    for r, completion in _positions(p, d, before, longest, behind, start):
        cost = max(0, completion - d[longest])
        if 0 <= best <= cost:
            continue
        cost += _optimum(problem, before + behind[:r], start, memo, most, deadline)
        if 0 <= best <= cost:
            continue
        cost += _optimum(problem, behind[r:], completion, memo, most, deadline)
        if best < 0 or cost < best:
            best, chosen = cost, r
    memo[key] = (best, chosen)
    return best


def _simple(p: list[int], d: list[int], members: list[int], start: int) -> tuple[int, bool] | None:
    """The optimum of a set that needs no decomposition, and whether shortest-first attains it (else due dates)."""
    time, late, total, all_late = start, 0, 0, True
    for x in members:
        time += p[x]
        if time > d[x]:
            late += 1
            total += time - d[x]
        if start + p[x] < d[x]:
            all_late = False
    if late <= 1:
        return total, False
    if not all_late:
        return None
    time, total = start, 0
    for length in sorted([p[x] for x in members]):
        time += length
        total += time
    return total - sum([d[x] for x in members]), True


def _positions(
    p: list[int], d: list[int], before: list[int], longest: int, behind: list[int], start: int
) -> list[tuple[int, int]]:
    """The positions that survive elimination: how many of ``behind`` go first, and when the longest completes."""
    completion = start + p[longest] + sum([p[x] for x in before])
    needed = completion
    found = []
    for r in range(len(behind) + 1):
        if r:
            x = behind[r - 1]
            completion += p[x]
            needed = max(needed, d[x] + p[x])
        if completion >= needed and (r == len(behind) or completion < d[behind[r]]):
            found.append((r, completion))
    return found


def witness(problem: Ordered, choice: Callable[[int, int, int, int], int]) -> tuple[int, ...]:
    """The optimal sequence that a complete memo describes; ``choice`` gives the position kept for a key."""
    p, d, rank = problem.p, problem.d, problem.rank
    sequence: list[int] = []
    stack: list[tuple[list[int], int] | int] = [(list(range(len(p))), 0)]
    while stack:
        top = stack.pop()
        if isinstance(top, int):
            sequence.append(top)
            continue
        members, start = top
        end = start + sum(p[x] for x in members)
        while members and d[members[-1]] >= end:
            end -= p[members[-1]]
            stack.append(members.pop())
        simple = _simple(p, d, members, start)
        if simple is not None:
            sequence.extend(sorted(members, key=rank.__getitem__) if simple[1] else members)
            continue
        longest = max(members, key=rank.__getitem__)
        place = members.index(longest)
        r = choice(members[0], members[-1], longest, start)
        first = members[:place] + members[place + 1 : place + 1 + r]
        last = members[place + 1 + r :]
        completion = start + sum(p[x] for x in first) + p[longest]
        stack += [(last, completion), longest, (first, start)]
    return tuple(problem.jobs[x] for x in sequence)
