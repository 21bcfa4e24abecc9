"""A cache holds k pages. A request for a page that it does not hold is a miss: the page is fetched, and when the
cache is full another page has to go. Few misses win.

This module holds a trace as bytes, the optimum that knows the future, and the limits. Pages are numbered 1, 2, … by
their first request.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

MAX_PAGES = 65_535
MAX_REQUESTS = 200_000
MAX_CAPACITY = 4096
DECISION_SECONDS = 0.001
"""Processor time of a decision, s: some two hundred times that of LRU in numpy."""


def encode(capacity: int, pages: Ints) -> bytes:
    """The payload of an instance: the capacity, then the page of each request, little-endian u2."""
    return np.concatenate([[capacity], pages]).astype("<u2").tobytes()


def decode(payload: bytes) -> tuple[int, list[int]]:
    """Capacity and pages in the order of the requests."""
    capacity, *pages = np.frombuffer(payload, "<u2").tolist()
    return capacity, pages


def limit(capacity: int, n: int) -> float:
    """Seconds of processor time for all decisions of a trace of ``n`` requests."""
    return DECISION_SECONDS * max(1, n - capacity)


def numbered(labels: Ints) -> Ints:
    """The same trace with its pages numbered from 1 in the order of their first request."""
    _, first, inverse = np.unique(labels, return_index=True, return_inverse=True)
    rank = np.empty(len(first), np.int64)
    rank[np.argsort(first)] = np.arange(1, len(first) + 1)
    return rank[inverse]


def fewest_misses(capacity: int, pages: Sequence[int]) -> int:
    """The least number of misses of any policy, also one that knows the future: evict the page whose next request is
    farthest away. Source: Belady (1966), "A study of replacement algorithms for a virtual-storage computer"; proved
    optimal by Mattson, Gecsei, Slutz & Traiger (1970), "Evaluation techniques for storage hierarchies"."""
    never = len(pages)
    upcoming: dict[int, int] = {}
    following = [0] * never
    for time in range(never - 1, -1, -1):
        following[time] = upcoming.get(pages[time], never)
        upcoming[pages[time]] = time
    cached: set[int] = set()
    farthest: list[
        tuple[int, int]
    ] = []  # (minus next request, page); entries out of date lie in the past, behind all
    misses = 0
    for page, after in zip(pages, following, strict=True):
        if page not in cached:
            misses += 1
            if len(cached) == capacity:
                cached.remove(heappop(farthest)[1])
            cached.add(page)
        heappush(farthest, (-after, page))
    return misses
