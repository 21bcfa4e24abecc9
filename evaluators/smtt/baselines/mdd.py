"""Modified due date: a job's due date, or its earliest completion once it cannot be met, whichever is later.

Source: Baker & Bertrand (1982), "A dynamic priority rule for scheduling against due-dates".
"""

import numpy as np


def schedule(processing_times, due_dates):
    waiting = np.argsort(processing_times, kind="stable")
    time = 0
    sequence = []
    while len(waiting) > 0:
        key = np.maximum(due_dates[waiting], time + processing_times[waiting])
        chosen = waiting[np.argmin(key)]
        sequence.append(chosen)
        time = time + processing_times[chosen]
        waiting = waiting[waiting != chosen]
    return sequence
