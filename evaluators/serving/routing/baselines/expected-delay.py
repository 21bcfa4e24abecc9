"""The instance that is expected to give the call its first token soonest, by the speed of its card.

Source: shortest expected delay (as in Houck 1987, "Comparison of policies for routing customers to
parallel queueing systems") with own terms: a call that runs is ``weight`` tokens,
and what is missing in the cache ``shortage`` times.
"""

import numpy as np

SEARCH_SPACE = {
    "weight": {"low": 1.0, "high": 1000.0, "log": True},
    "shortage": {"low": 0.0, "high": 10.0},
}


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
    *,
    weight=50.0,
    shortage=1.0,
):
    missing = np.maximum(queued + prompt - free, 0)
    return -(queued + prompt + weight * running + shortage * missing) / speed
