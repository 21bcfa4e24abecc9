"""The greatest weight for its volume first, whatever still fits. Source: Dantzig (1957)."""

SEARCH_SPACE = {"power": {"low": 0.0, "high": 2.0}}


def pack(shelf, bag, *, power=0.5):
    packed = []
    for item in sorted(shelf.items, key=lambda i: i.weight / (i.volume + 3.5) ** power, reverse=True):
        if bag.fits([*packed, item]) and item.weight > 1.5:
            packed.append(item)
    return packed
