"""First come, first served; what was used longest ago leaves the cache.

Source: Kwon et al. (2023), "Efficient memory management for large language model serving with PagedAttention" (SOSP
2023), with the automatic prefix caching that vLLM has had since. Faithful: the order, whole blocks that are found by
what they hold, the least recently used given up first. Reconstructed: spans of several blocks, chunks of 512 tokens.
"""


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
    return waited
