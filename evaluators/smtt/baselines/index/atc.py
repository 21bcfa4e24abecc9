"""Apparent tardiness cost: shortest processing time, discounted by the slack in units of the mean processing time.

Source: Vepsalainen & Morton (1987), "Priority rules for job shops with weighted tardiness costs", with equal weights;
k = 2 is their usual look-ahead for a static shop. The mean is over the waiting jobs.
"""

import numpy as np

SEARCH_SPACE = {"k": {"low": 0.05, "high": 8.0, "log": True}}


def priority(processing_times, due_dates, time, *, k=2.0):
    slack = np.maximum(0, due_dates - processing_times - time)
    return np.log(processing_times) + slack / (k * processing_times.mean())
