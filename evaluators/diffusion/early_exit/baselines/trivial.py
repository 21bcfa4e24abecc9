"""Full decoding: never stop. Source: the sampler of LLaDA (Nie et al. 2025, arXiv:2502.09992), one position a pass."""


def stop(masked, probability, margin, standing, entropy, drift, before, run, ending, place, step, total):
    return False
