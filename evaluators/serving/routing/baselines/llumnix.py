"""The freest instance for a call that comes, and live migration from the instances whose cache is nearly used up.

Source: Sun et al. (2024), "Llumnix: dynamic scheduling for large language model serving" (OSDI 2024). Faithful: an
instance's load is its free cache less what its queue wants (of the head alone where calls migrate), for each of its
calls; a high priority makes an instance look fuller, by a headroom; pairs are made of the least and the most free; of
the calls of a pair the one of the lowest priority that holds least goes, where the order of the two does not change.
Reconstructed: the thresholds, which are tuned here; one call of a pair in a round. Left out: the number of instances
does not change, and the engines serve their queues as calls come.
"""

import numpy as np

SEARCH_SPACE = {
    "headroom": {"low": 0.0, "high": 0.5},
    "low": {"low": 0.0, "high": 500.0},
    "apart": {"low": 10.0, "high": 2000.0, "log": True},
}


def route(
    prompt,
    priority,
    ttft,
    tbt,
    queued,
    waiting,
    running,
    high,
    free,
    capacity,
    speed,
    pace,
    time,
    *,
    headroom=0.1,
):
    room = free - queued - headroom * capacity * (high > 0)
    return room / np.maximum(waiting + running, 1)


def migrate(
    at,
    held,
    generated,
    priorities,
    head,
    queued,
    waiting,
    running,
    high,
    free,
    capacity,
    speed,
    pace,
    time,
    *,
    headroom=0.1,
    low=50.0,
    apart=100.0,
):
    room = free - head - headroom * capacity * (high > 0)
    calls = waiting + running
    load = room / np.maximum(calls, 1)
    order = np.argsort(load, kind="stable")
    to = np.array(at)
    for source, target in zip(order, order[::-1], strict=True):
        if load[source] >= low or load[target] < load[source] + apart:
            break
        here = np.flatnonzero(at == source)
        if not len(here):
            continue
        chosen = here[np.lexsort((held[here], priorities[here]))[0]]
        left = (room[source] + held[chosen]) / max(calls[source] - 1, 1)
        if (room[target] - held[chosen]) / (calls[target] + 1) >= left:
            to[chosen] = target
    return to
