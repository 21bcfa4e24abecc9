"""Prompts before everything else, whole and as they arrived, while they fit and a little of the cache stays free.

Source: Kwon et al. (2023), "Efficient memory management for large language model serving with PagedAttention" (SOSP
2023); the scheduler of vLLM up to 0.4. Faithful: first come, first served, whole prompts, a watermark of free blocks.
Reconstructed: vLLM lets the decodes wait while prompts are computed, here they make a token beside them; the time
between their tokens is that of the prompts either way.
"""

import numpy as np

BUDGET = 4608
SEARCH_SPACE = {"watermark": {"low": 0.0, "high": 0.2}}


def fill(
    left,
    length,
    computed,
    waited,
    slack,
    decoding,
    held,
    free,
    capacity,
    places,
    tbt,
    last_tokens,
    last_seconds,
    time,
    *,
    watermark=0.01,
):
    room = min(BUDGET - decoding, free - watermark * capacity)
    return np.where(np.cumsum(left) <= room, float(BUDGET), 0.0)
