"""Stop when no position has changed its most probable token for some passes. Source: patience-based early exit
(Zhou et al. 2020, arXiv:2006.04152), carried over from layers to passes."""

SEARCH_SPACE = {"passes": {"low": 1, "high": 32}}


def stop(
    masked,
    probability,
    margin,
    standing,
    entropy,
    drift,
    before,
    run,
    ending,
    place,
    step,
    total,
    *,
    passes=6,
):
    return run[masked].min() >= passes
