"""Most recently used goes: best for a loop that is larger than the cache.

Source: Chou & DeWitt (1985), "An evaluation of buffer management strategies for relational database systems".
"""


def evict(idle, age, uses, gap, total, absence, known, time):
    return -idle
