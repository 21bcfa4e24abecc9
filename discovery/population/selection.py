"""Ways to draw parents that strategies share. All chance comes from the draw that is given."""

from __future__ import annotations

import random
from collections.abc import Sequence

from discovery.population.fronts import complementary
from discovery.population.member import Member


def tournament(pool: Sequence[Member], size: int, draw: random.Random) -> Member:
    """The best of ``size`` draws from a pool that is sorted best first."""
    return pool[min(draw.randrange(len(pool)) for _ in range(size))]


def by_wins(wins: Sequence[tuple[Member, int]], draw: random.Random) -> Member:
    """A member of the per-instance front, with a probability that follows the number of instances that it wins."""
    return draw.choices([m for m, _ in wins], [count for _, count in wins])[0]


def partners(first: Member, pool: Sequence[Member]) -> tuple[Member, ...]:
    """The members of a pool that complete ``first``: each is better than it on some instance and worse on another."""
    return tuple(m for m in pool if complementary(first, m))
