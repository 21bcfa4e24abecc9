"""First fit: the oldest bin in which the item fits.

Source: Johnson, Demers, Ullman, Garey & Graham (1974), "Worst-case performance bounds for simple one-dimensional
packing algorithms".
"""

import numpy as np


def priority(item, bins):
    return -np.arange(len(bins))
