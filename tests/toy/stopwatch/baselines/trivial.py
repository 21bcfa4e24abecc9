"""The jobs as they come. Source: none."""

import numpy as np


def rank(times, weights):
    return np.zeros(len(times))
