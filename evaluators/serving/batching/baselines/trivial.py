"""Everything at once, as far as it fits.

Source: none; the trivial answer.
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
    return np.full(len(left), 1e6)
