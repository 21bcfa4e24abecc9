"""The measure of LIRS: the larger of the time since the last use and the distance of the last two uses.

Source: Jiang & Zhang (2002), "LIRS: an efficient low inter-reference recency set replacement policy". The paper
keeps two sets by this measure and evicts resident cold pages first-in-first-out; here the measure alone decides.
"""

import numpy as np


def evict(idle, age, uses, gap, total, absence, known, time):
    return np.maximum(idle, gap)
