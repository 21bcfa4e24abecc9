"""LRU-2: the page whose last use but one lies farthest back; pages used once go first, by least recently used.

Source: O'Neil, O'Neil & Weikum (1993), "The LRU-K page replacement algorithm for database disk buffering". Their
period of correlated references is 0 here, and history is kept for ever.
"""


def evict(idle, age, uses, gap, total, absence, known, time):
    return idle + gap
