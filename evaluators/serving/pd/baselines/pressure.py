"""One instance changes its role where one side is pressed and the other is not.

Source: none known; two thresholds, as one would write them by hand. Prefill is pressed when the prompts of every
instance for it take more than a share of the limit of the first token, decoding when no instance has room. The one with
the least to do turns.
"""

import numpy as np

SEARCH_SPACE = {
    "reserve": {"low": 0.0, "high": 0.6},
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
