"""A random number of the calls that wait begins, the same at the same time.

Source: none; the level of no knowledge.
"""

import numpy as np


def admit(
    length,
    done,
    slack,
    held,
    generated,
    past_prompts,
    past_outputs,
    waiting,
    pending,
    free,
    capacity,
    places,
    longest,
    last_seconds,
    time,
):
    return int(np.random.default_rng(int(1e6 * time)).integers(waiting + 1))
