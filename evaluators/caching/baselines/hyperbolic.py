"""Hyperbolic caching: the page with the fewest uses for its time in the cache.

Source: Blankstein, Sen & Freedman (2017), "Hyperbolic caching: flexible caching for web applications". The paper
samples some pages; here all are compared. The exponent on the age is ours, 1 is the paper's.
"""

SEARCH_SPACE = {"power": {"low": 0.2, "high": 3.0, "log": True}}


def evict(idle, age, uses, gap, total, absence, known, time, *, power=1.0):
    return -uses / age**power
