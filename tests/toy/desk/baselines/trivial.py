"""First come, first served. Source: none."""


def rank(lengths, waits, rush):
    return waits
