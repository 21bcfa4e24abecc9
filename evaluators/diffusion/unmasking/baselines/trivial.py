"""Full decoding: the most probable masked position in each pass. Source: the sampler of LLaDA (Nie et al. 2025,
arXiv:2502.09992) with one position a pass and no blocks."""

import numpy as np


def commit(masked, probability, margin, standing, entropy, drift, before, run, ending, place, step, total):
    chosen = np.zeros(len(masked), dtype=bool)
    chosen[np.argmax(np.where(masked, probability, -1.0))] = True
    return chosen
