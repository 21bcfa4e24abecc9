"""The largest first, each as low as it fits. Source: Johnson (1973) for bins, Pisarchyk & Lee (2020), "Efficient
memory management for deep neural net inference", for buffers."""


def order(lower, length, size, pressure, crowd, keys, tops, excess, best_keys, height, passes):
    return -size
