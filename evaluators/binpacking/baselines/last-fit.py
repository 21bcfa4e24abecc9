"""Last fit: the bin that was opened last among those in which the item fits; a new one when there is none.

Source: folklore, the mirror image of first fit (Coffman, Garey & Johnson 1997 survey it among the any-fit rules).
"""

import numpy as np


def priority(item, bins):
    return np.where(np.arange(len(bins)) < len(bins) - 1, np.arange(len(bins)), -1)
