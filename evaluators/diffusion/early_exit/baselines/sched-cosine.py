"""Stop when the mean margin of all positions reaches a bound that falls smoothly, a half wave of the cosine.
Source: SchED (2025, arXiv:2512.02892), its conservative setting, 7.5 to 2.5; the formula is the standard form of
the curve."""

import math

SEARCH_SPACE = {
    "high": {"low": 0.0, "high": 25.0},
    "low": {"low": 0.0, "high": 25.0},
}


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
    p = step / total
    return margin.mean() >= low + (high - low) * (1 + math.cos(math.pi * p)) / 2
