"""A quick good sequence on the trusted side: the best of EDD, SPT and MDD, then a descent by insertions.

Used where no optimum is at hand: as the incumbent of an unfinished proof and to refute claimed optima."""

from __future__ import annotations

import numpy as np

from evaluators.smtt.problem import Ints, total_tardiness

MOST_WORK = 50_000_000
"""The descent stops after about this many elementary steps, a few seconds."""


def mdd(processing_times: Ints, due_dates: Ints) -> tuple[int, ...]:
    """Modified due date (Baker & Bertrand 1982): always the job with the least max(d, t + p)."""
    jobs = np.argsort(processing_times, kind="stable")
    sequence, time = [], 0
    while len(jobs):
        at = int(np.argmin(np.maximum(due_dates[jobs], time + processing_times[jobs])))
        sequence.append(int(jobs[at]))
        time += int(processing_times[jobs[at]])
        jobs = np.delete(jobs, at)
    return tuple(sequence)


def good_sequence(processing_times: Ints, due_dates: Ints) -> tuple[int, ...]:
    """The best simple rule's sequence, improved by moving single jobs while that helps."""
    rules = (
        tuple(np.lexsort((processing_times, due_dates)).tolist()),
        tuple(np.lexsort((due_dates, processing_times)).tolist()),
        mdd(processing_times, due_dates),
    )
    start = min(rules, key=lambda s: total_tardiness(processing_times, due_dates, s))
    return insertion_descent(processing_times, due_dates, start)


def insertion_descent(processing_times: Ints, due_dates: Ints, sequence: tuple[int, ...]) -> tuple[int, ...]:
    """Move each job in turn to its best place, until no move helps or the work is used up. O(n) a job, vectorised."""
    order = np.array(sequence, dtype=np.int64)
    n, work, improved = len(order), 0, True
    while improved and work < MOST_WORK:
        improved = False
        for job in np.array(sequence, dtype=np.int64):
            rest = order[order != job]
            p, d, own = processing_times[rest], due_dates[rest], int(processing_times[job])
            ends = np.cumsum(p)
            early = np.concatenate(([0], np.cumsum(np.maximum(0, ends - d))))
            shifted = np.cumsum(np.maximum(0, ends + own - d))
            late = (shifted[-1] if n > 1 else 0) - np.concatenate(([0], shifted))
            at_ends = np.concatenate(([0], ends)) + own - int(due_dates[job])
            costs = early + late + np.maximum(0, at_ends)
            best = int(np.argmin(costs))
            now = int(np.flatnonzero(order == job)[0])
            if costs[best] < costs[now]:
                order = np.concatenate((rest[:best], [job], rest[best:]))
                improved = True
            work += 10 * n
    return tuple(order.tolist())
