"""The buffers as they come, each as low as it fits. Source: none."""

import numpy as np


def order(lower, length, size, pressure, crowd, keys, tops, excess, best_keys, height, passes):
    return np.arange(len(size))
