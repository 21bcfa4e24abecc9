"""MDD with weights: max(d, t + a·p) + b·p.

Source: Baker & Bertrand (1982) for a = 1, b = 0; the two weights are an own generalisation.
"""

import numpy as np

SEARCH_SPACE = {"a": {"low": 0.5, "high": 3.0}, "b": {"low": -0.5, "high": 1.0}}


def priority(processing_times, due_dates, time, *, a=1.0, b=0.0):
    return np.maximum(due_dates, time + a * processing_times) + b * processing_times
