"""Wilkerson & Irwin's condition: of two neighbours the one that is due first, unless the longer would then be late.

Source: Wilkerson & Irwin (1971), "An improved method for scheduling independent tasks". Reconstructed, and in part:
their list algorithm also jumps back to positions already filled. Here the waiting jobs meet one after another in
due-date order and the winner of all comparisons goes next, so that no position is revised.
"""

import numpy as np


def schedule(processing_times, due_dates):
    order = np.lexsort((processing_times, due_dates))
    p = processing_times[order].tolist()
    d = due_dates[order].tolist()
    waiting = list(range(len(p)))
    time = 0
    sequence = []
    while waiting:
        winner = waiting[0]
        for rival in waiting:
            if time + max(p[winner], p[rival]) > d[rival] and p[rival] < p[winner]:
                winner = rival
        sequence.append(winner)
        time = time + p[winner]
        waiting.remove(winner)
    return order[np.array(sequence)]
