"""The call with the longest prefix in the cache first.

Source: Zheng et al. (2024), "SGLang: efficient execution of structured language model programs" (NeurIPS 2024): the
order by the longest matched prefix of RadixAttention. Faithful: the order, ties as they arrived. Left out: its tree of
tokens, here spans of whole blocks are shared.
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
    return cached
