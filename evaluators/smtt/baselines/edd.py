"""Earliest due date: always the waiting job that is due first.

Source: Jackson (1955), "Scheduling a production line to minimize maximum tardiness".
"""

import numpy as np


def schedule(processing_times, due_dates):
    waiting = np.argsort(processing_times, kind="stable")
    time = 0
    sequence = []
    while len(waiting) > 0:
        key = due_dates[waiting]
        chosen = waiting[np.argmin(key)]
        sequence.append(chosen)
        time = time + processing_times[chosen]
        waiting = waiting[waiting != chosen]
    return sequence
