"""A random action, the same for the same state.

Source: none; the level of no knowledge.
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
    seed = int(size) * 1009 + int(room.sum()) * 31 + int(held.sum())
    return np.random.default_rng(seed).random(len(saved))
