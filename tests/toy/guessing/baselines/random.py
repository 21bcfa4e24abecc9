"""Some number, the same for the same bounds. Source: none."""


def guess(low, high):
    return low + (31 * high + 17 * low) % (high - low + 1)
