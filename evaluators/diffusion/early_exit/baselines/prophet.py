"""Stop when the mean margin reaches a bound that falls in three steps. Source: Prophet (Li et al. 2025,
arXiv:2508.19982): 7.5, 5 and 2.5 up to a third, two thirds and the end. Its mean is over the answer region; that is
the whole span here."""

SEARCH_SPACE = {
    "early": {"low": 0.0, "high": 25.0},
    "middle": {"low": 0.0, "high": 25.0},
    "late": {"low": 0.0, "high": 25.0},
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
    early=7.5,
    middle=5.0,
    late=2.5,
):
    progress = step / total
    bound = early if progress < 0.33 else middle if progress < 0.67 else late
    return margin.mean() >= bound
