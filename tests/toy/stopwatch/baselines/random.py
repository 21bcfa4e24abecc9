"""A random order, the same for the same instance. Source: none."""

import numpy as np


def rank(times, weights):
    return np.random.default_rng(int(times.sum())).random(len(times))
