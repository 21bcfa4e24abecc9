"""Apparent tardiness cost: shortest processing time, discounted by the slack in units of the mean processing time.

Source: Vepsalainen & Morton (1987), "Priority rules for job shops with weighted tardiness costs", with equal weights;
k = 2 is their usual look-ahead for a static shop.
"""

import numpy as np

SEARCH_SPACE = {"k": {"low": 0.05, "high": 8.0, "log": True}}


def schedule(processing_times, due_dates, *, k=2.0):
    waiting = np.argsort(processing_times, kind="stable")
    mean = processing_times.mean()
    time = 0
    sequence = []
    while len(waiting) > 0:
        slack = np.maximum(0, due_dates[waiting] - processing_times[waiting] - time)
        key = np.log(processing_times[waiting]) + slack / (k * mean)
        chosen = waiting[np.argmin(key)]
        sequence.append(chosen)
        time = time + processing_times[chosen]
        waiting = waiting[waiting != chosen]
    return sequence
