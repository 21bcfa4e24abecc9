"""The longest life first, each as low as it fits. Source: the temporal order of XLA's heap simulator."""


def order(lower, length, size, pressure, crowd, keys, tops, excess, best_keys, height, passes):
    return -length
