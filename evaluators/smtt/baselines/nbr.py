"""Net benefit of relocation: from the back of a due-date order, move jobs behind the last late job where it pays.

Source: Holsenback & Russell (1992), "A heuristic algorithm for sequencing on one machine to minimize total tardiness".
Own reconstruction of its idea: for each position from the last to the first whose job is late, the earlier job whose
move to just behind that position lowers the total tardiness most is moved, until none does.
"""

import numpy as np


def schedule(processing_times, due_dates):
    order = np.lexsort((processing_times, due_dates))
    position = len(order) - 1
    while position > 0:
        p = processing_times[order]
        lateness = np.cumsum(p) - due_dates[order]
        if lateness[position] <= 0:
            position = position - 1
            continue
        benefit = relocation(p[: position + 1], lateness[: position + 1])
        best = int(np.argmax(benefit))
        if benefit[best] > 0:
            order[best : position + 1] = np.append(order[best + 1 : position + 1], order[best])
        else:
            position = position - 1
    return order


def relocation(p, lateness):
    """What each job's move to the end would save: less tardiness of those behind it, more of its own. Where a simple
    bound shows that nothing is saved the entry is 0."""
    last = len(p) - 1
    late = np.maximum(0, lateness)
    own = np.maximum(0, lateness + p.sum() - np.cumsum(p)) - late
    behind = late.sum() - np.cumsum(late)
    count = (late > 0).sum() - np.cumsum(late > 0)
    benefit = np.zeros(last, dtype=np.int64)
    for job in np.flatnonzero(np.minimum(behind, count * p)[:last] > own[:last]):
        benefit[job] = np.minimum(p[job], late[job + 1 :]).sum() - own[job]
    return benefit
