"""Draws that give the same result on every Python version and machine.

Only ``Random.random()`` is promised to stay the same from release to release, so every choice is built from it, and
numbers come from tables instead of libm.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Chance:
    """Choices from one stream of uniform numbers."""

    def __init__(self, stream: random.Random) -> None:
        self._next = stream.random

    def below(self, n: int) -> int:
        """An integer in ``range(n)``."""
        return min(int(self._next() * n), n - 1)

    def flip(self, probability: float) -> bool:
        return self._next() < probability

    def pick(self, items: Sequence[T]) -> T:
        return items[self.below(len(items))]

    def weighted(self, items: Sequence[tuple[float, T]]) -> T:
        """One of ``(weight, item)`` pairs; weights are positive."""
        left = self._next() * sum(weight for weight, _ in items)
        for weight, item in items:
            left -= weight
            if left < 0:
                return item
        return items[-1][1]

    def order(self, items: Sequence[tuple[float, T]]) -> list[T]:
        """All items, drawn one after another by weight without replacement."""
        pool, drawn = list(items), []
        while pool:
            left = self._next() * sum(weight for weight, _ in pool)
            k = 0
            while k < len(pool) - 1 and left >= pool[k][0]:
                left -= pool[k][0]
                k += 1
            drawn.append(pool.pop(k)[1])
        return drawn


def rounded(value: float, digits: int = 4) -> float:
    """``value`` to a few significant digits, so that texts stay short and equal everywhere."""
    return float(f"{value:.{digits - 1}e}")
