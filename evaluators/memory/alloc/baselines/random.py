"""A random order, the same for as many buffers. Source: none."""

import numpy as np


def order(lower, length, size, pressure, crowd, keys, tops, excess, best_keys, height, passes):
    return np.random.default_rng(len(size)).permutation(len(size))
