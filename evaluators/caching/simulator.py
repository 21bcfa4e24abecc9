"""The simulator of ``cache-eviction``: a cache of fixed capacity that asks which page to evict.

Runs on the trusted side for every score of record, and inside the sandbox for the quick screen and the comparison of
event logs. It imports numpy and nothing else of the project, and knows no references.
"""

from collections.abc import Generator
from typing import Any

import numpy as np

KEPT = -1
"""Entry of the event log where nothing was evicted: a hit, or a miss while the cache filled."""

View = tuple[Any, ...]


def simulate(payload: bytes) -> Generator[View, Any, bytes]:
    """Run one trace (``payload``: capacity and pages, little-endian u2; pages are numbered from 1). Yields at each
    miss of a full cache what :data:`evaluators.caching.task.INTERFACE` says, slot by slot; gets float64[capacity] and
    evicts the highest, of equal ones the page that was unused the longest. Ends with the event log: the slot that was
    emptied at each request or KEPT, n little-endian i2."""
    capacity, *trace = np.frombuffer(payload, "<u2").tolist()
    log = np.full(len(trace), KEPT, "<i2")
    slot_of: dict[int, int] = {}
    page_in = [0] * capacity
    last_use = [-1] * (max(trace, default=0) + 1)  # of each page; before the trace began, as it were
    count = [0] * len(last_use)
    last, since, uses, gap, total = (np.zeros(capacity, np.int64) for _ in range(5))
    for time, page in enumerate(trace):
        slot = slot_of.get(page)
        distance = time - last_use[page]
        if slot is None:
            if len(slot_of) < capacity:
                slot = len(slot_of)
            else:
                idle = time - last
                reply = yield idle, time - since, uses, gap, total, distance, count[page], time
                slot = highest(reply.tolist(), idle)
                log[time] = slot
                del slot_of[page_in[slot]]
            slot_of[page] = slot
            page_in[slot] = page
            since[slot] = time
            uses[slot] = 0
        last_use[page] = time
        count[page] += 1
        last[slot] = time
        gap[slot] = distance
        total[slot] = count[page]
        uses[slot] += 1
    return log.tobytes()


def highest(values: list[float], idle: "np.ndarray[Any, np.dtype[np.int64]]") -> int:
    """The slot with the highest value, of equal ones the one idle for the longest."""
    best = max(values)
    if values.count(best) == 1:
        return values.index(best)
    tied = [slot for slot, value in enumerate(values) if value == best]
    return tied[int(idle[tied].argmax())]
