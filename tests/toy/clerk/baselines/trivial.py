"""First come, first served. Source: none."""


def choose(lengths, waits, urgent, ends, time):
    return 0
