"""A random order, the same for the same calls.

Source: none; the level of no knowledge.
"""

import numpy as np


def rank(age, prompt, generated, most, priority, preemptions):
    return np.random.default_rng(int(1e6 * age.sum()) + int(prompt.sum())).random(len(age))
