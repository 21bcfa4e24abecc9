"""Jobs come to a desk: they are admitted or sent away, one after another is served, and then the clerk may rest."""

from collections.abc import Generator
from typing import Any

import numpy as np

AWAY = -2
"""Entry of the event log of a job that was sent away."""
ROOM = 4


def simulate(payload: bytes, hooks: frozenset[str]) -> Generator[Any, Any, bytes]:
    """``payload``: rows of arrival, length and urgency (int64). Ends with when each job began, int64."""
    arrivals, lengths, urgent = np.frombuffer(payload, "<i8").reshape(3, -1)
    log = np.full(len(arrivals), AWAY, "<i8")
    waiting: list[int] = []
    time = coming = 0
    while waiting or coming < len(arrivals):
        if not waiting:
            time = max(time, int(arrivals[coming]))
        while coming < len(arrivals) and arrivals[coming] <= time:
            admitted = len(waiting) < ROOM
            if "admit" in hooks:
                admitted = yield "admit", (int(lengths[coming]), len(waiting), bool(urgent[coming]))
            waiting += [coming] if admitted else []
            coming += 1
        if not waiting:
            continue
        ranks = yield (
            "rank",
            (lengths[waiting], (time - arrivals[waiting]).astype(float), urgent[waiting] == 1),
        )
        job = waiting.pop(int(ranks.argmax()))
        log[job] = time
        time += int(lengths[job])
        if "rest" in hooks:
            pause = yield "rest", (float(time), len(waiting))
            if pause > lengths[job]:
                raise ValueError(f"a rest of {pause} after a job of {lengths[job]}")
            time += pause
    return log.tobytes()
