"""Any waiting job, the same in the same state. Source: none."""


def choose(lengths, waits, urgent, ends, time):
    return int(7919 * time + 31 * ends.sum()) % len(lengths)
