"""Wilkerson & Irwin's pairwise condition as a dynamic index: the sum of both orders' tardiness decides neighbours.

Source: Wilkerson & Irwin (1971), "An improved method for scheduling independent tasks". As an index its condition is
that of MDD (Nyirenda 2001); own reconstruction: the job that beats most of the others as their neighbour goes first.
"""

import numpy as np


def priority(processing_times, due_dates, time):
    p, d = processing_times, due_dates
    fits = time + np.maximum.outer(p, p) <= np.maximum.outer(d, d)
    earlier = np.less.outer(d, d) | (np.equal.outer(d, d) & np.less.outer(p, p))
    shorter = np.less.outer(p, p) | (np.equal.outer(p, p) & np.less.outer(d, d))
    return -np.where(fits, earlier, shorter).sum(axis=1)
