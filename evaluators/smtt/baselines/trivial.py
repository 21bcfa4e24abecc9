"""The jobs in the order in which they come.

Source: none; the trivial answer that every rule must beat.
"""

import numpy as np


def schedule(processing_times, due_dates):
    return np.arange(len(processing_times))
