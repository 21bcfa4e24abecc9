"""Strategies: who becomes a parent, and by which operator. One small Protocol; the loop is the same for all.

A plan is a pure function of the slot's situation and the slot's own generator.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Protocol

from db.records import EntryKey
from discovery.errors import UsageError
from discovery.population.archive import Member, Snapshot
from discovery.population.memory import Broken
from discovery.population.operators import Shares, possible
from discovery.proposers.base import Operator


@dataclass(frozen=True)
class Plan:
    """What a slot does: the operator and its parents, the first one being edited."""

    operator: Operator
    parents: tuple[Member, ...]
    broken: Broken | None = None
    """What a repair starts from: a candidate that failed in the sandbox. Its parents are code that works."""

    @property
    def origins(self) -> tuple[EntryKey, ...]:
        """The entries that the slot's reply builds on, the one that is edited first."""
        broken = (self.broken.key,) if self.broken is not None else ()
        return (*broken, *(p.key for p in self.parents))


@dataclass(frozen=True)
class Situation:
    """What the plan of a slot may depend on: the state after batch g−2, seen from the slot's island."""

    island: int
    snapshot: Snapshot
    operators: frozenset[Operator]
    """What the proposer can do; a plan uses no other."""
    broken: tuple[Broken, ...] = ()
    """Candidates that failed in the sandbox and that no slot has tried to repair yet, oldest first."""

    @property
    def possible(self) -> frozenset[Operator]:
        """What the proposer could be asked for now."""
        members = self.snapshot.islands[self.island]
        learnt = bool(self.broken) or any(m.key.kind != "seed" for m in members)
        return possible(self.operators, broken=bool(self.broken), learnt=learnt)


class Strategy(Protocol):
    @property
    def name(self) -> str: ...

    def plan(self, situation: Situation, draw: random.Random) -> Plan:
        """The plan of one slot."""
        ...


@dataclass(frozen=True)
class Islands:
    """Tournament selection within an island; now and then a parent comes from the next island (migration by mating,
    so that islands exchange what works without copies)."""

    name: str = "islands"
    tournament: int = 3
    shares: Shares = field(default_factory=Shares)
    migrate: float = 0.1

    def plan(self, situation: Situation, draw: random.Random) -> Plan:
        island, snapshot = situation.island, situation.snapshot
        operator = self.shares.drawn(draw.random(), situation.possible)
        first = self._parent(island, snapshot, draw)
        if operator == "repair":
            return Plan(operator, (first,), draw.choice(situation.broken))
        if operator in ("combine", "reflect"):
            # Two of different behaviour: there is something to combine, or to compare.
            others = [m for m in self._pool(island, snapshot, draw) if m.scores != first.scores]
            if others:
                return Plan(operator, (first, self._tournament(tuple(others), draw)))
        return Plan("improve" if operator == "combine" else operator, (first,))

    def _pool(self, island: int, snapshot: Snapshot, draw: random.Random) -> tuple[Member, ...]:
        step = 1 if draw.random() < self.migrate else 0
        return snapshot.islands[(island + step) % len(snapshot.islands)]

    def _parent(self, island: int, snapshot: Snapshot, draw: random.Random) -> Member:
        return self._tournament(self._pool(island, snapshot, draw), draw)

    def _tournament(self, pool: tuple[Member, ...], draw: random.Random) -> Member:
        # Islands are sorted best first, so the smallest index wins.
        return pool[min(draw.randrange(len(pool)) for _ in range(self.tournament))]


@dataclass(frozen=True)
class BestOfN:
    """Every proposal starts from a seed: the control, and the simplest baseline of a search."""

    name: str = "best-of-n"

    def plan(self, situation: Situation, draw: random.Random) -> Plan:
        return Plan("improve", (draw.choice(situation.snapshot.seeds),))


STRATEGIES: dict[str, Strategy] = {s.name: s for s in (Islands(), BestOfN())}


def strategy(name: str) -> Strategy:
    """The strategy by name. Raises UsageError."""
    try:
        return STRATEGIES[name]
    except KeyError:
        raise UsageError(f"unknown strategy {name!r}; there are: {', '.join(STRATEGIES)}") from None
