"""The cheapest call first, which pays its share of the prefix that has still to be computed; late ones come last.

Source: own combination of BatchLLM's groups (Zheng et al. 2024), of shortest processing time (Schrage 1968) and of the
limits. A thousand tokens are taken to need ``pace`` seconds until a call is late, and a second of waiting counts
``aging`` tokens.
"""

import numpy as np

SEARCH_SPACE = {
    "pace": {"low": 0.01, "high": 2.0, "log": True},
    "aging": {"low": 0.1, "high": 2000.0, "log": True},
}


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
    pace=0.1,
    aging=10.0,
):
    missing = np.maximum(common - cached - coming, 0)
    alone = left - np.maximum(common - cached, 0)
    late = slack < (alone + missing) * pace / 1000
    return aging * waited - alone - missing / sharing - np.where(late, 1e6, 0.0)
