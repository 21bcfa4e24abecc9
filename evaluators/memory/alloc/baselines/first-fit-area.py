"""The largest size times life first, each as low as it fits. Source: the order by area of MiniMalloc (Moffitt 2023)."""


def order(lower, length, size, pressure, crowd, keys, tops, excess, best_keys, height, passes):
    return -size * length
