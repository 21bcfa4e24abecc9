"""Whole prompts beside the decodes, as they arrived, and cache set aside for the longest answer of every call.

Source: Yu et al. (2022), "Orca: a distributed serving system for transformer-based generative models" (OSDI 2022).
Faithful: scheduling by iteration, whole prompts batched with decodes, first come, first served, room reserved ahead.
Reconstructed: the paper reserves for each call's own maximum, which the interface does not tell; one number for all is
tuned here. The cache is paged, as it was not then.
"""

import numpy as np

BUDGET = 4608
SEARCH_SPACE = {"reserve": {"low": 32, "high": 2048, "log": True}}


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
    reserve=512,
):
    room = capacity - held - decoding * reserve
    admitted = (np.cumsum(left) <= BUDGET - decoding) & (np.cumsum(length + reserve) <= room)
    return np.where(admitted, float(BUDGET), 0.0)
