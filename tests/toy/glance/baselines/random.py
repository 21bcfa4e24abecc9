"""Every second one or so, the same for the same instance: too few to see what must be seen. Source: none."""

import numpy as np


def look(weights):
    looked = np.random.default_rng(int(weights.sum())).random(len(weights)) < 0.5
    looked[0] = True
    return looked
