"""Modified due date: a job's due date, or its earliest completion once it cannot be met, whichever is later.

Source: Baker & Bertrand (1982), "A dynamic priority rule for scheduling against due-dates".
"""

import numpy as np


def priority(processing_times, due_dates, time):
    return np.maximum(due_dates, time + processing_times)
