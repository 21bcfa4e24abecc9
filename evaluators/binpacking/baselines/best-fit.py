"""Best fit: the fullest bin in which the item fits.

Source: Johnson, Demers, Ullman, Garey & Graham (1974), "Worst-case performance bounds for simple one-dimensional
packing algorithms".
"""


def priority(item, bins):
    left = bins - item
    return -left
