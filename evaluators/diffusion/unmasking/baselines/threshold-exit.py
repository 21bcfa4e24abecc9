"""A bound on the probability, and an early exit by a falling bound on the mean margin. Source: Fast-dLLM
(arXiv:2505.22618) and SchED (arXiv:2512.02892, linear, 7.5 to 2.5) together; that they are combined is this file's."""

SEARCH_SPACE = {
    "bound": {"low": 0.5, "high": 1.0},
    "high": {"low": 2.0, "high": 20.0},
    "low": {"low": 0.0, "high": 20.0},
}


def commit(
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
    return masked & (probability >= bound)


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
    high=7.5,
    low=2.5,
):
    return margin.mean() >= high + (low - high) * step / total
