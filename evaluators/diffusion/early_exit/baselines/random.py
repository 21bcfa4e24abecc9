"""Stop in each pass with a chance of one in fifty. Source: none."""

import random

CHANCE = random.Random(1)


def stop(masked, probability, margin, standing, entropy, drift, before, run, ending, place, step, total):
    return CHANCE.random() < 0.02
