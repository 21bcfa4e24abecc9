"""A random order, the same for the same state.

Source: none; the level of no knowledge.
"""

import numpy as np


def order(
    left,
    length,
    cached,
    coming,
    sharing,
    common,
    waited,
    slack,
    room,
    decoding,
    held,
    free,
    capacity,
    online,
    time,
):
    return np.random.default_rng(int(left.sum()) * 1009 + decoding).random(len(left))
