"""An instance by chance, the same for the same state.

Source: none; the level of no knowledge.
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
    return np.random.default_rng(int(1e6 * time) + prompt).random(len(queued))
