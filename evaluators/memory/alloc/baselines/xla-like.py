"""Best fit by size, then by length of life, then the lower of the two packed again from below.

The first two rounds are the spatial and the temporal order of XLA's GlobalDecreasingSizeBestFitHeap, of which
ChooseBestHeapAlgorithm takes the better. The others are a reconstruction: XLA repacks by another algorithm while it
assigns memory spaces; here the buffers are placed again in the order of their offsets, each one where it fits best, a
few times. As offsets are known of the last round only, the better order may be played once more before that. Source:
XLA, heap simulator.
"""

import numpy as np


def order(lower, length, size, pressure, crowd, keys, tops, excess, best_keys, height, passes):
    if passes == 0:
        return ranks(-length, -size)
    if passes == 1:
        return ranks(-size, -length)
    if passes == 2 and (best_keys != keys).any():
        return best_keys
    return tops - size if passes < 6 else keys


def ranks(second, first):
    found = np.empty(len(first))
    found[np.lexsort((second, first))] = np.arange(len(first))
    return found


def gap(offsets, rooms, size, lower, length):
    return np.argmin(rooms)
