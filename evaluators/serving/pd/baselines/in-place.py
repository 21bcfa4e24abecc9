"""The roles of `pressure`, and a call goes on where its prompt was computed when no instance that generates has room.

Source: none known; found when the reference policy was made. Beside prompts the call is late, but elsewhere it would
wait for room, or make others lose theirs.
"""

import numpy as np

SEARCH_SPACE = {
    "reserve": {"low": 0.0, "high": 0.6},
    "room": {"low": 0.0, "high": 0.6},
    "queue": {"low": 0.05, "high": 2.0, "log": True},
    "slack": {"low": 0.05, "high": 2.0, "log": True},
}


def roles(
    prefill,
    queued,
    waiting,
    running,
    online,
    free,
    capacity,
    speed,
    late,
    tpot,
    ttft,
    tbt,
    time,
    *,
    reserve=0.1,
    queue=0.5,
    slack=0.7,
):
    alone = prefill > 0
    role = np.where(alone, 1.0, -1.0)
    delay = queued / speed + late
    full = (free < reserve * capacity) | (tpot > tbt)
    if full[~alone].all() and alone.sum() > 1 and delay[alone].min() < slack * ttft:
        role[np.where(alone, queued + running, np.inf).argmin()] = -1.0
    elif (~alone).sum() > 1 and (delay[alone] > queue * ttft).all():
        role[np.where(alone, np.inf, running).argmin()] = 1.0
    return role


def hand(
    held,
    kind,
    at,
    prefill,
    queued,
    waiting,
    running,
    online,
    free,
    capacity,
    speed,
    late,
    tpot,
    ttft,
    tbt,
    time,
    *,
    room=0.02,
):
    spare = np.where(prefill > 0, -1e9, free - held)
    if (spare < room * capacity).all():
        spare[at] = 1e9
    return spare
