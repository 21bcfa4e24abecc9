"""Wilkerson & Irwin: build up a due-date order by comparing neighbours, jumping back while an exchange pays.

Source: Wilkerson & Irwin (1971), "An improved method for scheduling independent tasks". Reconstructed from its
description: the pivot and the next job in due-date order compete for the next position; two neighbours keep due-date
order if the longer one could end by the later due date, else the shorter goes first. If the next job wins it must also
stand behind the last scheduled job, or that one goes back to the others and the comparison is repeated (a jump). Own
addition: after ``jumps`` times n jumps the rest goes without jumping, which bounds the time.
"""

from bisect import insort

import numpy as np

SEARCH_SPACE = {"jumps": {"low": 1, "high": 50, "log": True}}


def schedule(processing_times, due_dates, *, jumps=10):
    order = np.lexsort((processing_times, due_dates))
    p = processing_times[order].tolist()
    d = due_dates[order].tolist()
    pivot = 0
    waiting = list(range(1, len(p)))
    done = []
    time = 0
    left = jumps * len(p)
    while waiting:
        rival = waiting[0]
        if before(pivot, rival, p, d, time):
            done.append(pivot)
            time = time + p[pivot]
            pivot = waiting.pop(0)
        elif left > 0 and done and not before(done[-1], rival, p, d, time - p[done[-1]]):
            back = done.pop()
            time = time - p[back]
            waiting.pop(0)
            insort(waiting, back)
            waiting.insert(0, rival)
            left = left - 1
        else:
            done.append(rival)
            time = time + p[rival]
            waiting.pop(0)
    return order[np.array([*done, pivot])]


def before(a, b, p, d, time):
    """Whether job a goes first when both are next to one another from ``time`` on. Jobs are in due-date order."""
    if time + max(p[a], p[b]) <= max(d[a], d[b]):
        return a < b
    return (p[a], a) < (p[b], b)
