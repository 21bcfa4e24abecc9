"""All alike: the queue as it stands.

Source: none; the trivial answer. It decides as vllm-fcfs does.
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
    return np.zeros(len(left))
