"""A call begins when its prompt fits into the free cache, but for a watermark that stays free; outputs are not planned.

Source: Kwon et al. (2023), "Efficient memory management for large language model serving with PagedAttention" (SOSP
2023), whose scheduler keeps 1 % of the blocks free; the aggressive scheduler that Past-Future is compared with.
Faithful: the rule and its watermark. Left out: swapping instead of recomputing.
"""

import numpy as np

SEARCH_SPACE = {"watermark": {"low": 0.0, "high": 0.5}}


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
    watermark=0.01,
):
    room = free - pending - watermark * capacity
    return int(np.searchsorted(np.cumsum(length), room, side="right"))
