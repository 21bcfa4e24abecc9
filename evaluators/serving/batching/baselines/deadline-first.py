"""Chunks as in Sarathi-Serve, the call whose first token is due soonest first; those that are late come last.

Source: earliest due date (Jackson 1955) on the chunks of Agrawal et al. (2024); own combination. Late calls fill what
the others leave of a share of the chunk.
"""

import numpy as np

SEARCH_SPACE = {"chunk": {"low": 64, "high": 2048, "log": True}, "share": {"low": 0.1, "high": 0.99}}


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
    chunk=512,
    share=0.5,
):
    return np.where(slack > 0, chunk - np.minimum(slack, 10.0) * 0.01, chunk * share)
