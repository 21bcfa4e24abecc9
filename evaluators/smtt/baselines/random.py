"""A random order, the same for the same instance.

Source: none; the level of no knowledge.
"""

import numpy as np


def schedule(processing_times, due_dates):
    seed = int(processing_times.sum()) + 1000003 * int(due_dates.sum())
    return np.random.default_rng(seed).permutation(len(processing_times))
