"""Small buffers only, as far as they save something: many fit.

Source: a common rule of static memory assignment to scratchpads, such as Banakar et al. (2002), "Scratchpad memory: a
design alternative for cache on-chip memory in embedded systems", compare; the limit is ours.
"""

import numpy as np

SEARCH_SPACE = {"share": {"low": 0.01, "high": 1.0, "log": True}}


def place(
    saved,
    stall,
    held,
    ahead,
    room,
    spare,
    copied,
    size,
    fetch,
    excess,
    crowd,
    later,
    distance,
    unwritten,
    capacity,
    *,
    share=0.15,
):
    return np.where(size <= share * capacity, saved - 1e-6 * held, -1.0 * (ahead > 0))
