"""As many instances for prefill alone as the prompts that wait want, beside what the generating calls hold.

Source: none known; the plain thought that the roles follow the work. The prompts count by how many instances would
compute them within the limit of the first token, the generating calls by how much of the caches they use. An instance
with few generating calls turns to prefill first.
"""

import numpy as np

SEARCH_SPACE = {"weight": {"low": 0.1, "high": 10.0, "log": True}, "keep": {"low": 0.0, "high": 10.0}}


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
    weight=1.0,
    keep=2.0,
):
    prompts = weight * np.sum(queued / speed) / ttft
    held = np.sum(1.0 - free / capacity)
    wanted = len(prefill) * prompts / (prompts + held + 1e-9)
    count = min(max(round(wanted), 1), len(prefill) - 1)
    order = np.argsort(running - keep * prefill, kind="stable")
    rank = np.empty(len(prefill))
    rank[order] = np.arange(len(prefill))
    return count - rank - 0.5
