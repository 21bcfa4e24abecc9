"""Masked positions that are probable, whose most probable token has persisted, and whose distribution is still.
Source: LESS (2026, arXiv:2606.16908), joint stability; a reconstruction: the divergence is that of Kullback and
Leibler over all tokens in place of Jensen and Shannon's over the top ones, and the numbers are this file's."""

SEARCH_SPACE = {
    "bound": {"low": 0.4, "high": 1.0},
    "persist": {"low": 1, "high": 4},
    "still": {"low": 0.001, "high": 10.0, "log": True},
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
    bound=0.8,
    persist=2,
    still=0.1,
):
    return masked & (probability >= bound) & (run >= persist) & (drift <= still)
