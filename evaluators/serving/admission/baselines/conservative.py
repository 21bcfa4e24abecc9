"""A call begins when the cache holds it and all that run with the longest outputs that they may have.

Source: the conservative scheduler that Gong et al. (2025), "Past-Future scheduler for LLM serving under SLA guarantees"
(ASPLOS 2025), compare with; TensorRT-LLM's guaranteed-no-evict policy. Faithful: nothing is ever evicted at an
overcommitment of 1; above it the cache is promised several times over, as in their comparison.
"""

import numpy as np

SEARCH_SPACE = {"overcommit": {"low": 1.0, "high": 4.0, "log": True}}


def admit(
    length,
    done,
    slack,
    held,
    generated,
    past_prompts,
    past_outputs,
    waiting,
    pending,
    free,
    capacity,
    places,
    longest,
    last_seconds,
    time,
    *,
    overcommit=1.0,
):
    promised = np.sum(held - generated + longest)
    wanted = np.cumsum(length - done + longest)
    room = overcommit * capacity - promised
    return max(int(np.searchsorted(wanted, room, side="right")), int(len(held) == 0))
