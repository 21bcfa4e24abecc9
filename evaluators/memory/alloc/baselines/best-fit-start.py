"""As they begin, each into the gap that leaves the least room. Source: best fit as of Knuth (1968), The Art of
Computer Programming, volume 1, section 2.5."""

import numpy as np


def order(lower, length, size, pressure, crowd, keys, tops, excess, best_keys, height, passes):
    return lower


def gap(offsets, rooms, size, lower, length):
    return np.argmin(rooms)
