"""By benefit: fast memory unless buffers that come later and save more per byte need the room; copies as late as they
can be in time.

Source: own reconstruction of the idea of XLA's memory space assignment (openxla, memory_space_assignment): buffers by
memory-boundness, best fit, prefetches ordered by their time. There all buffers are sorted by benefit before any is
placed; here they come in schedule order, and what would have gone before is reserved.
"""

import numpy as np

SEARCH_SPACE = {"reserve": {"low": 0.0, "high": 1.5}, "late": {"low": 0.0, "high": 1.0}}


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
    reserve=1.0,
    late=0.05,
):
    fits = room - reserve * crowd >= size
    intime = stall <= late * fetch
    return np.where((saved > 0) & fits & intime, saved - 1e-6 * held, -1.0 * (ahead > 0))
