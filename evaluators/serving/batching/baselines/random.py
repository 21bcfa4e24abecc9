"""A random number of tokens for each call, up to half of the budget, the same for the same state.

Source: none; the level of no knowledge.
"""

import numpy as np


def fill(
    left,
    length,
    computed,
    waited,
    slack,
    decoding,
    held,
    free,
    capacity,
    places,
    tbt,
    last_tokens,
    last_seconds,
    time,
):
    return 2304 * np.random.default_rng(int(left.sum()) * 1009 + decoding).random(len(left))
