"""A fixed number of instances for prefill alone.

Source: as in DistServe (Zhong et al. 2024, OSDI), whose numbers of prefill and decode instances are chosen once for a
workload; here the share is tuned.
"""

import numpy as np

SEARCH_SPACE = {"share": {"low": 0.0, "high": 1.0}}


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
    share=0.5,
):
    count = min(max(round(share * len(prefill)), 1), len(prefill) - 1)
    return np.where(np.arange(len(prefill)) < count, 1.0, -1.0)
