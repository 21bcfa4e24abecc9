"""Stop when every masked position is probable enough. Source: the bound of Fast-dLLM (arXiv:2505.22618), taken for
all positions at once."""

SEARCH_SPACE = {"bound": {"low": 0.3, "high": 1.0}}


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
    bound=0.9,
):
    return probability[masked].min() >= bound
