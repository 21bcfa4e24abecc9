"""The largest first, each into the gap that leaves the least room. Source: Pisarchyk & Lee (2020), "Efficient memory
management for deep neural net inference" (greedy by size)."""

import numpy as np


def order(lower, length, size, pressure, crowd, keys, tops, excess, best_keys, height, passes):
    return -size


def gap(offsets, rooms, size, lower, length):
    return np.argmin(rooms)
