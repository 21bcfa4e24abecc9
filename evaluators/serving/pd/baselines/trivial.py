"""No instance is for prefill alone.

Source: none; the trivial answer. It is what a cluster without disaggregation does: every instance computes the prompts
of its calls beside those that generate.
"""


def roles(
    prefill,
    queued,
    waiting,
    running,
    online,
    free,
    capacity,
    speed,
    late,
    tpot,
    ttft,
    tbt,
    time,
):
    return 0.0 * prefill
