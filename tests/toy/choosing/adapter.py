"""The child's side: the candidate ranks the items; which of those that fit go into the bag is up to its hooks."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np


def answer(
    function: Callable[..., Any],
    payload: bytes,
    parameters: Mapping[str, Any],
    hooks: Mapping[str, Callable[..., Any]],
) -> bytes:
    """Highest rank first; n bytes, 1 = packed. Raises ValueError for ranks of another shape and for replies of another
    type."""
    numbers = np.frombuffer(payload, dtype="<i8")
    room, n = int(numbers[0]), len(numbers) // 2
    weights, volumes = numbers[1 : n + 1].copy(), numbers[n + 1 :].copy()
    ranks = np.asarray(function(weights, volumes, room, **parameters), dtype=np.float64)
    if ranks.shape != (n,) or not np.isfinite(ranks).all():
        raise ValueError(f"rank() must return {n} finite numbers, not an array of shape {ranks.shape}")
    packed = np.zeros(n, dtype=np.uint8)
    for item in np.argsort(-ranks, kind="stable"):
        if "enough" in hooks and _said("enough", hooks["enough"](room)):
            break
        weight, volume = int(numbers[1 + item]), int(numbers[n + 1 + item])
        if volume <= room and ("take" not in hooks or _said("take", hooks["take"](weight, volume, room))):
            packed[item] = 1
            room -= volume
    return packed.tobytes()


def _said(hook: str, reply: object) -> bool:
    if not isinstance(reply, bool):
        raise ValueError(f"{hook}() returned a {type(reply).__name__}; expected True or False")
    return reply
