"""Between recency and frequency: the logarithm of the time since the last use, less a weighted one of the uses.

Source: the idea of Lee et al. (2001), "LRFU: a spectrum of policies that subsumes the least recently used and least
frequently used policies"; own form, since their sum over all past uses is not in the view.
"""

import numpy as np

SEARCH_SPACE = {"weight": {"low": 0.0, "high": 8.0}, "history": {"low": 0.0, "high": 2.0}}


def evict(idle, age, uses, gap, total, absence, known, time, *, weight=1.0, history=0.5):
    return np.log(idle) + history * np.log(gap) - weight * np.log(total)
