"""Every masked position whose probability reaches a bound. Source: the confidence-aware parallel decoding of
Fast-dLLM (Wu et al. 2025, arXiv:2505.22618), bound 0.9; without its cache and its blocks. Where none reaches it,
the most probable one follows."""

SEARCH_SPACE = {"bound": {"low": 0.5, "high": 1.0}}


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
