"""MDD, then a descent that moves single jobs to their best places until no move helps.

Source: Baker & Bertrand (1982) for the start; the insertion neighbourhood is common (for example Potts & Van Wassenhove
1991, "Single machine tardiness sequencing heuristics"). ``passes`` bounds how often the whole sequence is gone through.
"""

import numpy as np

SEARCH_SPACE = {"passes": {"low": 1, "high": 12}}


def schedule(processing_times, due_dates, *, passes=6):
    order = modified_due_date(processing_times, due_dates)
    for _ in range(passes):
        improved = False
        for job in order.copy():
            moved = best_place(order, job, processing_times, due_dates)
            if moved is not None:
                order, improved = moved, True
        if not improved:
            break
    return order


def modified_due_date(processing_times, due_dates):
    waiting = np.argsort(processing_times, kind="stable")
    time = 0
    sequence = []
    while len(waiting) > 0:
        key = np.maximum(due_dates[waiting], time + processing_times[waiting])
        chosen = waiting[np.argmin(key)]
        sequence.append(chosen)
        time = time + processing_times[chosen]
        waiting = waiting[waiting != chosen]
    return np.array(sequence)


def best_place(order, job, processing_times, due_dates):
    """The order with ``job`` at its cheapest place if that is better than where it is, else None."""
    n = len(order)
    place = int(np.nonzero(order == job)[0][0])
    rest = np.delete(order, place)
    ends = np.zeros(n, dtype=np.int64)
    np.cumsum(processing_times[rest], out=ends[1:])
    lateness = ends[1:] - due_dates[rest]
    gains = np.zeros(n, dtype=np.int64)
    np.cumsum(np.maximum(0, lateness + processing_times[job]) - np.maximum(0, lateness), out=gains[1:])
    cost = np.maximum(0, ends + processing_times[job] - due_dates[job]) - gains
    best = int(np.argmin(cost))
    if cost[best] >= cost[place]:
        return None
    return np.insert(rest, best, job)
