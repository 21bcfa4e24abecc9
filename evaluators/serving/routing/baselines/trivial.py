"""All calls to the first instance.

Source: none; the trivial answer.
"""

import numpy as np


def route(
    prompt,
    priority,
    ttft,
    tbt,
    queued,
    waiting,
    running,
    high,
    free,
    capacity,
    speed,
    pace,
    time,
):
    return np.zeros(len(queued))
