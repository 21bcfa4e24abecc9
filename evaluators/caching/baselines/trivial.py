"""Always the page in the first slot.

Source: none; the trivial answer.
"""

import numpy as np


def evict(idle, age, uses, gap, total, absence, known, time):
    return -np.arange(len(idle))
