"""One masked position in each pass, whichever chance says. Source: none."""

import random

import numpy as np

CHANCE = random.Random(1)


def commit(masked, probability, margin, standing, entropy, drift, before, run, ending, place, step, total):
    chosen = np.zeros(len(masked), dtype=bool)
    chosen[CHANCE.choice(np.flatnonzero(masked).tolist())] = True
    return chosen
