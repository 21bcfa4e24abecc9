"""One instance after another.

Source: the usual rule of load balancers; in Sun et al. (2024) the one that Llumnix is compared with.
"""

from itertools import count

import numpy as np

TURNS = count()


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
    rank = np.zeros(len(queued))
    rank[next(TURNS) % len(queued)] = 1.0
    return rank
