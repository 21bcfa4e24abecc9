"""The dear ones first, for their time only a little. Source: folklore."""

import numpy as np

SEARCH_SPACE = {"power": {"low": 0.0, "high": 2.0}}


def rank(times, weights, *, power=0.1):
    return 2.5 * weights / times**power + 0.001 * np.arange(len(times))
