"""Minimum slack: the job with the least time to spare.

Source: common (for example Conway, Maxwell & Miller 1967, "Theory of Scheduling").
"""


def priority(processing_times, due_dates, time):
    return due_dates - processing_times - time
