"""A random city, the same for the same state.

Source: none; the level of no knowledge.
"""

import numpy as np


def next_city(distances, start_distances, mean_distances, nearest_distances, dx, dy):
    return np.random.default_rng(int(1e6 * distances.sum())).random(len(distances))
