"""The snapshots S(g) that decisions are made from.

A snapshot is immutable and a pure function of the entries integrated so far, so a resumed run sees the same one. Views
of it (fronts, wins) are made when they are first asked for and kept; their cost follows the capacity of the archive,
not the length of the run.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from discovery.population.fronts import best_by_instance, pareto_front, wins_of
from discovery.population.member import Member, rank
from evaluators.task import Direction


@dataclass(frozen=True)
class Snapshot:
    """S(g): the members of each island, best first, and beside them the best of each kind in ``cells``, best first.
    Every island is non-empty: seeds stand in all of them at the start."""

    islands: tuple[tuple[Member, ...], ...]
    seeds: tuple[Member, ...]
    direction: Direction
    cells: tuple[Member, ...] = ()

    def members(self) -> tuple[Member, ...]:
        """All members, each once, best first."""
        return self._members

    def median(self, island: int) -> Member:
        """The island's median member: the rival of the early stop and the bar for tuning."""
        members = self.islands[island % len(self.islands)]
        return members[(len(members) - 1) // 2]

    @cached_property
    def keys(self) -> frozenset[object]:
        """The keys of all members, and of the seeds, which stay available when they have left the archive."""
        return frozenset(m.key for m in (*self._members, *self.seeds))

    @cached_property
    def pareto(self) -> tuple[Member, ...]:
        """The members that no other beats in both score and code size, best score (and largest) first."""
        return pareto_front(self._members, self.direction)

    @cached_property
    def fronts(self) -> tuple[Member, ...]:
        """For each search instance, in the split's order, the member with the best score there; of equals the
        earlier."""
        return best_by_instance(self._members, self.direction)

    @cached_property
    def wins(self) -> tuple[tuple[Member, int], ...]:
        """The members of :attr:`fronts` with the number of instances that each wins, best ranked first."""
        return wins_of(self.fronts, self.direction)

    @cached_property
    def _members(self) -> tuple[Member, ...]:
        unique = {m.key: m for group in (*self.islands, self.cells) for m in group}
        return tuple(sorted(unique.values(), key=lambda m: rank(m, self.direction)))
