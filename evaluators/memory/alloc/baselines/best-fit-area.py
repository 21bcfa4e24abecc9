"""The largest size times life first, each into the gap that leaves the least room. Source: the order by area of
MiniMalloc (Moffitt 2023)."""

import numpy as np


def order(lower, length, size, pressure, crowd, keys, tops, excess, best_keys, height, passes):
    return -size * length


def gap(offsets, rooms, size, lower, length):
    return np.argmin(rooms)
