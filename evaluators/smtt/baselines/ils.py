"""Iterated local search: descents by insertion and swap from MDD, restarted from a slightly perturbed best sequence.

Source: the scheme of Lourenço, Martin & Stützle (2003), "Iterated local search", with the insertion and swap
neighbourhoods; own construction. Deterministic: its random numbers are seeded by the size, and it stops after a number
of evaluated jobs, not by the clock, set so that it takes a quarter to a half of a call's limit (``effort`` scales it).
"""

import random

import numpy as np

SEARCH_SPACE = {"kicks": {"low": 1, "high": 8}}


def schedule(processing_times, due_dates, *, effort=1.0, kicks=3):
    n = len(processing_times)
    left = int(effort * budget(n))
    generator = random.Random(n)
    order = modified_due_date(processing_times, due_dates)
    best, left = descend(order, list(order), processing_times, due_dates, left)
    best_cost = tardiness(best, processing_times, due_dates)
    while left > 0 and best_cost > 0 and n > 2:
        order = best.copy()
        moved = []
        for _ in range(kicks):
            first = generator.randrange(n)
            second = min(n - 1, max(0, first + generator.choice([-1, 1]) * generator.randint(1, 8)))
            order[first], order[second] = order[second], order[first]
            low, high = max(0, min(first, second) - 4), max(first, second) + 5
            moved.extend(order[low:high].tolist())
        order, left = descend(order, moved, processing_times, due_dates, left)
        cost = tardiness(order, processing_times, due_dates)
        if cost <= best_cost:
            best, best_cost = order, cost
    return best


def budget(n):
    """Evaluated jobs in 0.4 of the limit, were each to take 45 microseconds and a little for each job."""
    limit = 0.25 if n <= 50 else 0.5 if n <= 100 else 1.0 if n <= 200 else 3.0 if n <= 500 else 0.01 * n
    return max(1, int(0.4 * limit / (45e-6 + 6e-8 * n)))


def tardiness(order, processing_times, due_dates):
    return int(np.maximum(0, np.cumsum(processing_times[order]) - due_dates[order]).sum())


def modified_due_date(processing_times, due_dates):
    waiting = np.argsort(processing_times, kind="stable")
    time = 0
    sequence = []
    while len(waiting) > 0:
        key = np.maximum(due_dates[waiting], time + processing_times[waiting])
        chosen = waiting[np.argmin(key)]
        sequence.append(chosen)
        time = time + processing_times[chosen]
        waiting = waiting[waiting != chosen]
    return np.array(sequence)


def descend(order, jobs, processing_times, due_dates, left):
    """Insert or swap the jobs as is best; as long as that helps go through all of them again."""
    jobs = list(dict.fromkeys(jobs))
    improved = True
    while improved and left > 0:
        improved = False
        for job in jobs:
            left = left - 1
            if left < 0:
                break
            moved = best_place(order, job, processing_times, due_dates)
            if moved is None:
                moved = best_swap(order, job, processing_times, due_dates)
            if moved is not None:
                order, improved = moved, True
    return order, left


def best_place(order, job, processing_times, due_dates):
    """The order with ``job`` at its cheapest place if that is better than where it is, else None."""
    n = len(order)
    place = int((order == job).argmax())
    rest = np.empty(n - 1, dtype=np.int64)
    rest[:place] = order[:place]
    rest[place:] = order[place + 1 :]
    own = processing_times[job]
    ends = np.zeros(n, dtype=np.int64)
    lengths = processing_times[rest]
    lengths.cumsum(out=ends[1:])
    lateness = ends[1:] - due_dates[rest]
    gains = np.zeros(n, dtype=np.int64)
    (np.maximum(lateness, -own) + own - np.maximum(lateness, 0)).cumsum(out=gains[1:])
    cost = np.maximum(ends + (own - due_dates[job]), 0) - gains
    best = int(cost.argmin())
    if cost[best] >= cost[place]:
        return None
    moved = np.empty(n, dtype=np.int64)
    moved[:best] = rest[:best]
    moved[best] = job
    moved[best + 1 :] = rest[best:]
    return moved


def best_swap(order, job, processing_times, due_dates, window=40):
    """The order with ``job`` and the best of the next ``window`` jobs exchanged if that is better, else None. A row of
    the table holds what the jobs between both gain or lose, as they end earlier or later by the difference in length.
    """
    place = int((order == job).argmax())
    part = order[place : place + window + 1]
    size = len(part)
    if size < 2:
        return None
    p, d = processing_times[part], due_dates[part]
    ends = p.cumsum() + int(processing_times[order[:place]].sum())
    lateness = ends - d
    shift = (p - p[0])[1:]
    change = np.maximum(lateness[None, :-1] + shift[:, None], 0) - np.maximum(lateness[:-1], 0)
    change[:, 0] = 0
    between = (change * LOWER[: size - 1, : size - 1]).sum(axis=1)
    first = np.maximum(ends[0] + shift - d[1:], 0) - np.maximum(lateness[1:], 0)
    second = np.maximum(ends[1:] - d[0], 0) - max(0, int(lateness[0]))
    total = between + first + second
    best = int(total.argmin())
    if total[best] >= 0:
        return None
    moved = order.copy()
    moved[place], moved[place + best + 1] = order[place + best + 1], job
    return moved


LOWER = np.tri(64, dtype=np.int64)
