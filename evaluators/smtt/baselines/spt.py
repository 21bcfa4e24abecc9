"""Shortest processing time first.

Source: Smith (1956), "Various optimizers for single-stage production"; optimal if every job is late in any order.
"""

import numpy as np


def schedule(processing_times, due_dates):
    waiting = np.argsort(due_dates, kind="stable")
    time = 0
    sequence = []
    while len(waiting) > 0:
        key = processing_times[waiting]
        chosen = waiting[np.argmin(key)]
        sequence.append(chosen)
        time = time + processing_times[chosen]
        waiting = waiting[waiting != chosen]
    return sequence
