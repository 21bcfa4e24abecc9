"""The strategy ``islands``, the default: tournaments within populations that evolve apart."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from discovery.population.member import Member
from discovery.population.operators import Shares
from discovery.population.selection import by_wins, partners, tournament
from discovery.population.snapshot import Snapshot
from discovery.population.strategy import Plan, Situation


@dataclass(frozen=True)
class Islands:
    """Tournament selection within an island. With the share ``mate`` a parent comes from the next island instead, with
    ``front`` it is drawn by the number of search instances on which no other member is better, and with ``niche`` it
    is the best of a kind (:attr:`Snapshot.cells`), whatever its rank. A combination, and a reflection where it can,
    takes two members that are each better than the other on some instance: there is something to combine, or to
    compare."""

    name: str = "islands"
    size: int = 3
    """Members a tournament."""
    shares: Shares = field(default_factory=Shares)
    mate: float = 0.1
    front: float = 0.0
    niche: float = 0.1

    def plan(self, situation: Situation, draw: random.Random) -> Plan:
        island, snapshot = situation.island, situation.snapshot
        operator = self.shares.drawn(draw.random(), situation.possible)
        first = self._parent(island, snapshot, draw)
        if operator == "repair":
            return Plan(operator, (first,), draw.choice(situation.broken))
        if operator in ("combine", "reflect"):
            others = partners(first, self._pool(island, snapshot, draw))
            if others:
                return Plan(operator, (first, tournament(others, self.size, draw)))
        return Plan("improve" if operator == "combine" else operator, (first,))

    def _parent(self, island: int, snapshot: Snapshot, draw: random.Random) -> Member:
        if self.front and draw.random() < self.front:
            return by_wins(snapshot.wins, draw)
        if snapshot.cells and draw.random() < self.niche:
            return draw.choice(snapshot.cells)
        return tournament(self._pool(island, snapshot, draw), self.size, draw)

    def _pool(self, island: int, snapshot: Snapshot, draw: random.Random) -> tuple[Member, ...]:
        step = 1 if draw.random() < self.mate else 0
        return snapshot.islands[(island + step) % len(snapshot.islands)]
