"""Cost over time: the expected tardiness for each unit of processing, linear in the slack.

Source: Carroll (1965), "Heuristic sequencing of jobs with single and multiple components", in the form of Vepsalainen &
Morton (1987) with equal weights. The slack is counted in units of k times the job's own processing time; ties, and jobs
with slack to spare, go in due-date order (own choice: the rule leaves it open).
"""

import numpy as np

SEARCH_SPACE = {"k": {"low": 0.05, "high": 32.0, "log": True}}


def schedule(processing_times, due_dates, *, k=2.0):
    waiting = np.lexsort((processing_times, due_dates))
    time = 0
    sequence = []
    while len(waiting) > 0:
        slack = np.maximum(0, due_dates[waiting] - processing_times[waiting] - time)
        urgency = np.maximum(0, 1 - slack / (k * processing_times[waiting]))
        key = -urgency / processing_times[waiting]
        chosen = waiting[np.argmin(key)]
        sequence.append(chosen)
        time = time + processing_times[chosen]
        waiting = waiting[waiting != chosen]
    return sequence
