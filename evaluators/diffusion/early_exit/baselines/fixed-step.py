"""Stop at a fixed share of the passes. Source: the usual way to save passes; the share is this file's."""

SEARCH_SPACE = {"share": {"low": 0.0, "high": 1.0}}


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
    share=0.75,
):
    return step >= share * total
