"""What says that the text has ended at once, and the others by a bound on the probability. Source: none; it tells
what of a gain comes from the positions behind the text."""

SEARCH_SPACE = {"bound": {"low": 0.5, "high": 1.0}, "ended": {"low": 0.0, "high": 1.0}}


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
    bound=0.99,
    ended=0.9,
):
    return masked & ((probability >= bound) | (ending & (probability >= ended)))
