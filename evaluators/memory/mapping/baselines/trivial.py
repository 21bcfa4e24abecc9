"""Everything stays in slow memory.

Source: none; the trivial answer.
"""

import numpy as np


def place(
    saved,
    stall,
    held,
    ahead,
    room,
    spare,
    copied,
    size,
    fetch,
    excess,
    crowd,
    later,
    distance,
    unwritten,
    capacity,
):
    return np.zeros(len(saved))
