"""Two instances by chance, and of these the one with fewer calls.

Source: Mitzenmacher (2001), "The power of two choices in randomized load balancing".
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
    drawn = np.random.default_rng(int(1e6 * time) + prompt).permutation(len(queued))
    return np.where(drawn < 2, -1.0 * (waiting + running), -1e9)
