"""Sarathi-Serve with a chunk that follows the engine: what it computes within the limit between two tokens at the pace
of the last iteration.

Source: own reconstruction of the dynamic token budgets of later engines; the pace of one iteration stands for a
profile. At least ``least`` tokens, and everything while nothing decodes.
"""

import numpy as np

SEARCH_SPACE = {"margin": {"low": 0.3, "high": 1.2}, "least": {"low": 64, "high": 512, "log": True}}


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
    margin=0.8,
    least=128,
):
    chunk = 1e6
    if decoding:
        chunk = max(least, last_tokens * margin * tbt / max(last_seconds, 1e-3))
    return np.full(len(left), float(chunk))
