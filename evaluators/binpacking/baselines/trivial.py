"""A new bin for every item.

Source: none; the trivial answer.
"""

import numpy as np


def priority(item, bins):
    return np.arange(len(bins))
