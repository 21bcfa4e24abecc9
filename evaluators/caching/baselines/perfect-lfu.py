"""Least frequently used, counted over the whole trace, also while the page was not cached; ties by least recently used.

Source: Breslau, Cao, Fan, Phillips & Shenker (1999), "Web caching and Zipf-like distributions", call it Perfect-LFU.
"""


def evict(idle, age, uses, gap, total, absence, known, time):
    return -total
