"""Decodes first, then what is left of a chunk with the prompts that have begun, then with new ones as they arrived.

Source: Agrawal et al. (2024), "Taming throughput-latency tradeoff in LLM inference with Sarathi-Serve" (OSDI 2024).
Faithful: the order, and one budget of tokens for decodes and prompts. Left out: preemption of the lowest priority is
that of the engine, and the chunk is tuned here, where the paper profiles the largest within the limit between tokens.
"""

import numpy as np

SEARCH_SPACE = {"chunk": {"low": 64, "high": 2048, "log": True}}


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
):
    return np.full(len(left), float(chunk))
