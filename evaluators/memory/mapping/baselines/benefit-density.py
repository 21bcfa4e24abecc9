"""The action that saves most for each byte and nanosecond of the hold, if that is enough.

Source: the greedy rule by ratio for knapsacks (Dantzig 1957, "Discrete-variable extremum problems"); own form.
"""

import numpy as np

SEARCH_SPACE = {"least": {"low": 0.0, "high": 1.0}}


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
    least=0.05,
):
    density = saved * capacity / (size * np.maximum(held, 1.0))
    return np.where(ahead > 0, density - least, 0.0)
