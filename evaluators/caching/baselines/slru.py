"""Segmented LRU: of the pages used again since they were fetched the most recent ones are protected, a share of the
cache.

Source: Karedla, Love & Wherry (1994), "Caching strategies to improve disk system performance". The protected segment is
worked out anew at each decision from the last uses; a page that fell out of it can so come back without another use.
"""

import numpy as np

SEARCH_SPACE = {"share": {"low": 0.1, "high": 0.95}}


def evict(idle, age, uses, gap, total, absence, known, time, *, share=0.5):
    again = np.where(uses > 1, idle, 2 * time)
    rank = np.argsort(np.argsort(again, kind="stable"), kind="stable")
    protected = (uses > 1) & (rank < share * len(idle))
    return idle - 2 * time * protected
