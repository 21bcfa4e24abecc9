"""A random page, the same for the same state.

Source: none; the level of no knowledge.
"""

import numpy as np


def evict(idle, age, uses, gap, total, absence, known, time):
    return np.random.default_rng(int(idle.sum()) * 1009 + time).random(len(idle))
