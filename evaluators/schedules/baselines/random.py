"""Chance between 0 and 1, the same for the same step of the same horizon. Source: none."""

import random


def schedule(step, total_steps, gradient_norms, left, norm):
    return random.Random(step + 1_000_003 * total_steps).random()
