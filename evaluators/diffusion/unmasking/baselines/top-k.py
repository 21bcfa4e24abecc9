"""The k most probable masked positions in each pass. Source: the samplers of LLaDA and Dream with fewer steps than
positions (Nie et al. 2025, Ye et al. 2025)."""

import numpy as np

SEARCH_SPACE = {"k": {"low": 1, "high": 16}}


def commit(
    masked, probability, margin, standing, entropy, drift, before, run, ending, place, step, total, *, k=2
):
    order = np.argsort(-np.where(masked, probability, -1.0), kind="stable")
    chosen = np.zeros(len(masked), dtype=bool)
    chosen[order[:k]] = True
    return chosen & masked
