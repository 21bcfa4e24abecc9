"""Calls that share a prefix run together, groups with much to generate for each token of their prompts first.

Source: Zheng et al. (2024), "BatchLLM: optimizing large batched LLM inference with global prefix sharing and
throughput-oriented token batching". Faithful: one explicit level of prefixes, a group that has begun runs to its end,
groups in the order of the ratio of decode to prefill. Reconstructed: the level is chosen call by call (see sharing and
common), outputs are taken as equally long, and a prefix is kept by the cache's own rule while its group lasts; batches
of tokens are the engine's chunks.
"""

import numpy as np


def order(
    left,
    length,
    cached,
    coming,
    sharing,
    common,
    waited,
    slack,
    room,
    decoding,
    held,
    free,
    capacity,
    online,
    time,
):
    begun = (common > 0) & (cached + coming >= common)
    ratio = sharing / (common + sharing * (length - common))
    return np.where(begun, 1.0, 0.0) + ratio
