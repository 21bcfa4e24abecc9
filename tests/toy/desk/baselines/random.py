"""Any waiting job, the same in the same state. Source: none."""

import numpy as np


def rank(lengths, waits, rush):
    return np.sin(7919 * lengths + 31 * waits)


def admit(length, waiting, urgent):
    return (31 * length + waiting) % 7 > 0
