"""A random order, the same for the same instance. Source: none."""

import numpy as np


def rank(weights, volumes, capacity):
    seed = int(weights.sum()) + 1009 * int(volumes.sum()) + capacity
    return np.random.default_rng(seed).random(len(weights))
