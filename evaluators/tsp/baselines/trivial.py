"""The same number for every city: they go in the order of their indices.

Source: none; the trivial answer.
"""

import numpy as np


def next_city(distances, start_distances, mean_distances, nearest_distances, dx, dy):
    return np.zeros(len(distances))
