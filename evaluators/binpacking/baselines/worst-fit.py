"""Worst fit: the emptiest open bin; a new one only when the item fits in no other.

Source: Johnson (1974), "Fast algorithms for bin packing".
"""

import numpy as np


def priority(item, bins):
    return np.where(np.arange(len(bins)) < len(bins) - 1, bins, -1)
