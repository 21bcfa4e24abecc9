"""The call with the fewest tokens to compute first, what the cache holds left out; those that wait long come up.

Source: shortest remaining processing time (Schrage 1968) on what a prefix cache leaves to do; own combination. A second
of waiting counts ``aging`` tokens, a token that is about to be in the cache ``ahead``.
"""

SEARCH_SPACE = {"aging": {"low": 1.0, "high": 5000.0, "log": True}, "ahead": {"low": 0.0, "high": 1.0}}


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
    *,
    aging=10.0,
    ahead=0.0,
):
    return aging * waited + ahead * coming - left
