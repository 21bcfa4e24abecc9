"""Jobs arrive at a clerk, who serves one after another and says which waiting one comes next."""

from collections.abc import Generator
from typing import Any

import numpy as np


def simulate(payload: bytes) -> Generator[tuple[Any, ...], Any, bytes]:
    """``payload``: rows of arrival, length and urgency (int64). Ends with the order of service, int64."""
    arrivals, lengths, urgent = np.frombuffer(payload, "<i8").reshape(3, -1)
    waiting: list[int] = []
    order: list[int] = []
    ends: list[float] = []
    time = 0
    while len(order) < len(arrivals):
        rest = [j for j in range(len(arrivals)) if j not in order and j not in waiting]
        if not waiting:
            time = max(time, min(int(arrivals[j]) for j in rest))
        waiting += [j for j in rest if arrivals[j] <= time]
        view = lengths[waiting], (time - arrivals[waiting]).astype(float), urgent[waiting] == 1
        at = yield (*view, np.array(ends[-3:]), float(time))
        if at >= len(waiting):
            raise ValueError(f"job {at} of {len(waiting)} waiting ones")
        order.append(waiting.pop(at))
        time += int(lengths[order[-1]])
        ends.append(float(time))
    return np.array(order, "<i8").tobytes()
