"""Chunks as in Sarathi-Serve, the prompt with the fewest tokens left first.

Source: shortest remaining processing time (Schrage 1968) on the chunks of Agrawal et al. (2024); own combination. A
token that is left puts a call behind by ``weight``, and lowers how far it may fill the iteration as well.
"""

SEARCH_SPACE = {
    "chunk": {"low": 64, "high": 2048, "log": True},
    "weight": {"low": 0.001, "high": 0.2, "log": True},
}


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
    weight=0.01,
):
    return chunk - weight * left
