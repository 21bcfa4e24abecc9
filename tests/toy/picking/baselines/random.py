"""Items in a random order, while they fit. Source: none."""

import numpy as np


def pick(values, volumes, capacity):
    order = np.random.default_rng(int(volumes.sum())).permutation(len(volumes))
    picked = np.zeros(len(volumes), dtype=bool)
    picked[order] = np.cumsum(volumes[order]) <= capacity
    return picked
