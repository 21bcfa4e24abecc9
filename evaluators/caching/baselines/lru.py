"""Least recently used: the page that was unused the longest.

Source: Belady (1966), "A study of replacement algorithms for a virtual-storage computer", compares it with FIFO and
the optimum; Mattson et al. (1970) analyse it.
"""


def evict(idle, age, uses, gap, total, absence, known, time):
    return idle
