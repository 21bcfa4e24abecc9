"""A power of what is left.

Source: the "poly" rule with power 0.9 of Chen et al. (2018), DeepLab, IEEE TPAMI 40(4)."""

SEARCH_SPACE = {"power": {"low": 0.25, "high": 4.0, "log": True}}


def schedule(step, total_steps, gradient_norms, left, norm, *, power=0.9):
    return (left / total_steps) ** power
