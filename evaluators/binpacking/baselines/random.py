"""A random open bin, the same for the same state; a new one when the item fits in no other.

Source: none; the level of no knowledge.
"""

import numpy as np


def priority(item, bins):
    keys = np.random.default_rng(int(bins.sum()) * 1009 + int(item)).random(len(bins))
    keys[-1] = -1
    return keys
