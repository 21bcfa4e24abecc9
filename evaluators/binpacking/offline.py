"""What is possible when all items are known: first fit and best fit decreasing (Johnson 1973).

A reference policy, never a candidate: an online rule has to place an item before it sees the next.
"""

from __future__ import annotations

from bisect import bisect_left, insort

import numpy as np

from evaluators.binpacking.problem import Ints, decode


def answer(payload: bytes) -> bytes:
    """The bin of each item by best fit decreasing, n little-endian int64."""
    return np.array(best_fit_decreasing(*decode(payload)), dtype="<i8").tobytes()


def best_fit_decreasing(capacity: int, sizes: Ints) -> list[int]:
    """The bin of each item: the largest first, each into the fullest bin that has room."""
    places = [0] * len(sizes)
    rooms: list[tuple[int, int]] = []  # remaining capacity and number of each open bin, ascending
    opened = 0
    values = sizes.tolist()
    for item in sorted(range(len(values)), key=lambda j: (-values[j], j)):
        at = bisect_left(rooms, (values[item], -1))
        room, number = rooms.pop(at) if at < len(rooms) else (capacity, opened)
        opened += number == opened
        places[item] = number
        insort(rooms, (room - values[item], number))
    return places
