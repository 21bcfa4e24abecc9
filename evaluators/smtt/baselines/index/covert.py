"""Cost over time: the expected tardiness for each unit of processing, linear in the slack.

Source: Carroll (1965), "Heuristic sequencing of jobs with single and multiple components", in the form of Vepsalainen &
Morton (1987) with equal weights; jobs with slack to spare go in due-date order (own choice: the rule leaves it open).
"""

import numpy as np

SEARCH_SPACE = {"k": {"low": 0.05, "high": 32.0, "log": True}}


def priority(processing_times, due_dates, time, *, k=2.0):
    slack = np.maximum(0, due_dates - processing_times - time)
    urgency = np.maximum(0, 1 - slack / (k * processing_times))
    return np.where(urgency > 0, -urgency / processing_times, due_dates)
