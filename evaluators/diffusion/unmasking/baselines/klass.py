"""Masked positions that are probable and whose distribution has been still for some passes. Source: KLASS (Kim et
al. 2025, arXiv:2511.05664): confidence and Kullback-Leibler bound over a history of passes. The numbers are a
reconstruction of its settings for LLaDA; where none qualifies, the most probable one follows."""

import numpy as np

SEARCH_SPACE = {
    "bound": {"low": 0.4, "high": 1.0},
    "still": {"low": 0.001, "high": 1.0, "log": True},
    "history": {"low": 1, "high": 4},
}

DRIFTS = []


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
    bound=0.6,
    still=0.015,
    history=2,
):
    DRIFTS.append(np.array(drift))
    if step <= history:  # the first pass has no drift
        return masked & False
    quiet = np.max(DRIFTS[-history:], axis=0) < still
    return masked & (probability >= bound) & quiet
