"""SchED with its bounds in quantiles of the model's own margins, so that they carry over from model to model: the mean
standing of all positions, or of the masked ones, against a curve from high to low. Source: SchED (2025,
arXiv:2512.02892) for curves and mean over all positions; the calibration and the masked mean are this file's."""

import math

SEARCH_SPACE = {
    "high": {"low": 0.0, "high": 1.0},
    "low": {"low": 0.0, "high": 1.0},
    "k": {"low": 1.0, "high": 32.0, "log": True},
    "curve": ["linear", "cosine", "exponential"],
    "over": ["all", "masked"],
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
    high=0.95,
    low=0.6,
    k=4.0,
    curve="linear",
    over="masked",
):
    p = step / total
    if curve == "cosine":
        p = (1 - math.cos(math.pi * p)) / 2
    elif curve == "exponential":
        p = 1 - math.exp(-k * p)
    mean = standing[masked].mean() if over == "masked" else standing.mean()
    return mean >= high + (low - high) * p
