"""The instance whose free cache lasts longest: free tokens less those that the queue wants, for each of its calls.

Source: the dispatch of Llumnix alone (Sun et al. 2024); see the baseline llumnix.
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
    return (free - queued) / np.maximum(waiting + running, 1)
