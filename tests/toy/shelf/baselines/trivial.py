"""The items as they stand, while they fit. Source: none."""


def pack(shelf, bag):
    packed = []
    for item in shelf.items:
        if bag.fits([*packed, item]):
            packed.append(item)
    return packed
