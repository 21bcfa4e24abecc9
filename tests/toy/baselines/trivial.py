"""In the order given."""

import numpy as np


def rank(weights, volumes, capacity):  # noqa: ARG001
    return np.zeros(len(weights))
