"""A random job, the same for the same state.

Source: none; the level of no knowledge.
"""

import numpy as np


def priority(processing_times, due_dates, time):
    seed = int(processing_times.sum()) + 1000003 * int(due_dates.sum())
    return np.random.default_rng(seed).random(len(processing_times))
