"""A random order, the same for the same instance. Source: none."""

import random


def pack(shelf, bag):
    packed = []
    items = list(shelf.items)
    random.Random(bag.room + len(items)).shuffle(items)
    for item in items:
        if bag.fits([*packed, item]):
            packed.append(item)
    return packed
