"""As they begin, each as low as it fits. Source: what an allocator does that knows sizes only as they are asked for;
first fit analysed by Robson (1977)."""


def order(lower, length, size, pressure, crowd, keys, tops, excess, best_keys, height, passes):
    return lower
