"""Least frequently used, counted since the page was fetched; ties by least recently used.

Source: Robinson & Devarakonda (1990), "Data cache management using frequency-based replacement", describe it as LFU.
"""


def evict(idle, age, uses, gap, total, absence, known, time):
    return -uses
