"""The largest first; then, round after round, those that ended above the ideal height go earlier, by how far and how
large they are. Source: Joslin & Clements (1999), "Squeaky wheel optimization"; the measure of blame is our own."""

import numpy as np

SEARCH_SPACE = {
    "blame": {"low": 0.2, "high": 20.0, "log": True},
    "level": {"low": 0.8, "high": 1.1},
    "power": {"low": 0.0, "high": 1.5},
}


def order(
    lower, length, size, pressure, crowd, keys, tops, excess, best_keys, height, passes,
    *, blame=2.0, level=1.0, power=1.0,
):  # fmt: skip
    if passes == 0:
        return -size
    return keys - blame * np.maximum(tops - level, 0.0) * size**power
