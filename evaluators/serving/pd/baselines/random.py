"""Roles by chance in every round, the same for the same time.

Source: none; the level of no knowledge.
"""

import numpy as np


def roles(
    prefill,
    queued,
    waiting,
    running,
    online,
    free,
    capacity,
    speed,
    late,
    tpot,
    ttft,
    tbt,
    time,
):
    return np.random.default_rng(int(1e6 * time)).random(len(prefill)) - 0.5
