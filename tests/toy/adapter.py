"""The child's side: the candidate ranks the items, the bag is filled greedily in that order."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def answer(function: Callable[..., Any], payload: bytes, parameters: Mapping[str, Any]) -> bytes:
    """Highest rank first, whatever still fits; n bytes, 1 = packed. Raises ValueError for ranks of another shape."""
    numbers = np.frombuffer(payload, dtype="<i8")
    capacity, n = int(numbers[0]), len(numbers) // 2
    weights, volumes = numbers[1 : n + 1].copy(), numbers[n + 1 :].copy()
    ranks = np.asarray(function(weights, volumes, capacity, **parameters), dtype=np.float64)
    if ranks.shape != (n,) or not np.isfinite(ranks).all():
        raise ValueError(f"rank() must return {n} finite numbers, not an array of shape {ranks.shape}")
    packed = np.zeros(n, dtype=np.uint8)
    room = capacity
    for item in np.argsort(-ranks, kind="stable"):
        if numbers[n + 1 + item] <= room:
            packed[item] = 1
            room -= int(numbers[n + 1 + item])
    return packed.tobytes()
