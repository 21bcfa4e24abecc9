"""The same number for every job: ties go to the shorter job, so this is SPT.

Source: none; the trivial answer.
"""

import numpy as np


def priority(processing_times, due_dates, time):
    return np.zeros(len(processing_times))
