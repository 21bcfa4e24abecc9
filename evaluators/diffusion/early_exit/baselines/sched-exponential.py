"""Stop when the mean margin of all positions reaches a bound that falls smoothly, exponential. Source: SchED (2025,
arXiv:2512.02892), its conservative setting, 7.5 to 2.5 with k = 16, its best QPS; the formula is the standard form
of the curve."""

import math

SEARCH_SPACE = {
    "high": {"low": 0.0, "high": 25.0},
    "low": {"low": 0.0, "high": 25.0},
    "k": {"low": 1.0, "high": 32.0, "log": True},
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
    k=16.0,
):
    p = step / total
    return margin.mean() >= low + (high - low) * math.exp(-k * p)
