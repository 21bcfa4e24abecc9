"""Decomposition with MDD look-ahead: the longest job goes to the position whose two halves cost least under MDD.

Source: Lawler (1977) for the decomposition, Potts & Van Wassenhove (1982) for the positions worth trying; own
construction (Potts & Van Wassenhove 1991 describe decomposition heuristics of this kind). ``most`` bounds the positions
tried for each job; beyond it they are sampled evenly.
"""

from heapq import heappop, heappush

import numpy as np

SEARCH_SPACE = {"most": {"low": 1, "high": 60, "log": True}}


def schedule(processing_times, due_dates, *, most=40):
    order = np.lexsort((processing_times, due_dates))
    p = processing_times[order].tolist()
    d = due_dates[order].tolist()
    sequence = []
    stack = [(list(range(len(p))), 0)]
    while stack:
        jobs, time = stack.pop()
        while len(jobs) > 1:
            if simple(jobs, time, p, d):
                break
            longest = max(jobs, key=lambda x: (p[x], x))
            place = jobs.index(longest)
            before, behind = jobs[:place], jobs[place + 1 :]
            best = None
            for r in positions(before, longest, behind, time, p, d, most):
                first = before + behind[:r]
                end = time + sum(p[x] for x in first) + p[longest]
                cost = (
                    max(0, end - d[longest]) + mdd_cost(first, time, p, d) + mdd_cost(behind[r:], end, p, d)
                )
                if best is None or cost < best[0]:
                    best = (cost, first, behind[r:], end)
            _, jobs, last, end = best
            stack.append((last, end))
            stack.append(([longest], end - p[longest]))
        sequence.extend(jobs)
    return order[np.array(sequence)]


def simple(jobs, time, p, d):
    """Whether due-date order is optimal since at most one job is late; sorts by length if every job is late."""
    late, end, all_late = 0, time, True
    for x in jobs:
        end = end + p[x]
        if end > d[x]:
            late = late + 1
        if time + p[x] < d[x]:
            all_late = False
    if late > 1 and all_late:
        jobs.sort(key=lambda x: p[x])
    return late <= 1 or all_late


def positions(before, longest, behind, time, p, d, most):
    """The positions that survive the elimination, at most ``most`` of them."""
    end = time + p[longest] + sum(p[x] for x in before)
    needed = end
    found = []
    for r in range(len(behind) + 1):
        if r > 0:
            x = behind[r - 1]
            end = end + p[x]
            needed = max(needed, d[x] + p[x])
        if end >= needed and (r == len(behind) or end < d[behind[r]]):
            found.append(r)
    step = -(-len(found) // most)
    return found[::step]


def mdd_cost(jobs, time, p, d):
    """The total tardiness of MDD. ``jobs`` come in due-date order; those that are late whenever they go next wait in a
    heap by length, the others in due-date order, so that each step compares two jobs only."""
    ripe = sorted(jobs, key=lambda x: d[x] - p[x], reverse=True)
    late, gone = [], set()
    total, first = 0, 0
    for _ in jobs:
        while ripe and d[ripe[-1]] - p[ripe[-1]] <= time:
            x = ripe.pop()
            if x not in gone:
                heappush(late, (p[x], x))
                gone.add(x)
        if not ripe:
            for length, x in sorted(late):
                time = time + length
                total = total + time - d[x]
            return total
        while first < len(jobs) and jobs[first] in gone:
            first = first + 1
        if first == len(jobs) or (
            late and (time + late[0][0], late[0][0]) < (d[jobs[first]], p[jobs[first]])
        ):
            x = heappop(late)[1]
        else:
            x = jobs[first]
            gone.add(x)
        time = time + p[x]
        total = total + max(0, time - d[x])
    return total
