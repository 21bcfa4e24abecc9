"""The items as they come. Source: none."""

import numpy as np


def rank(weights, volumes, capacity):
    return -np.arange(len(weights))
