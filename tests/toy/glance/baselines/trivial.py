"""All of them. Source: none."""

import numpy as np


def look(weights):
    return np.ones(len(weights), dtype=bool)
