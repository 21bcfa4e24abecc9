"""Every masked position whose margin reaches a bound. Source: the margin rule of Kim et al. (2025,
arXiv:2502.06768), which orders positions by the difference of the two best tokens; the bound in logits is this
file's."""

SEARCH_SPACE = {"bound": {"low": 0.5, "high": 12.0}}


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
    bound=6.0,
):
    return masked & (margin >= bound)
