"""The masked positions of least entropy, as long as what is added before each stays under a bound. Source: the
EB-Sampler (Ben-Hamu et al. 2025, arXiv:2505.24857): the sum of the entropies less the greatest of them bounds the
error; bound 0.1 is this file's choice among the paper's range."""

import numpy as np

SEARCH_SPACE = {"bound": {"low": 0.001, "high": 1.0, "log": True}}


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
    bound=0.1,
):
    order = np.argsort(np.where(masked, entropy, np.inf), kind="stable")
    ranked = entropy[order]
    kept = np.cumsum(ranked) - ranked <= bound
    chosen = np.zeros(len(masked), dtype=bool)
    chosen[order] = kept
    return chosen & masked
