"""Decoding in a fixed number of passes: the masked positions are spread evenly over those that are left, the most
probable ones first. Source: the linear schedule of masked diffusion (Sahoo et al. 2024, arXiv:2406.07524), greedy."""

import numpy as np

SEARCH_SPACE = {"passes": {"low": 1, "high": 32}}


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
    passes=16,
):
    left = max(1, passes - step + 1)
    count = -(-int(masked.sum()) // left)
    order = np.argsort(-np.where(masked, probability, -1.0), kind="stable")
    chosen = np.zeros(len(masked), dtype=bool)
    chosen[order[:count]] = True
    return chosen & masked
