"""The archive: an elite list for each island, and the snapshots S(g) that decisions are made from.

A snapshot is immutable and a pure function of the entries integrated so far, so a resumed run sees the same one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from db.records import EntryKey
from evaluators.task import Direction


@dataclass(frozen=True)
class Member:
    """A fully scored entry. ``scores`` are those of the search split, in its order."""

    key: EntryKey
    hash: str
    code: str
    score: float
    scores: tuple[float, ...]
    nodes: int
    island: int
    by_group: Mapping[str, float] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Snapshot:
    """S(g): the members of each island, best first. Every island is non-empty: seeds stand in all of them."""

    islands: tuple[tuple[Member, ...], ...]
    seeds: tuple[Member, ...]
    direction: Direction

    def members(self) -> tuple[Member, ...]:
        """All members, each once, best first."""
        unique = {m.key: m for island in self.islands for m in island}
        return tuple(sorted(unique.values(), key=lambda m: rank(m, self.direction)))

    def median(self, island: int) -> Member:
        """The island's median member: the rival of the early stop and the bar for tuning."""
        members = self.islands[island % len(self.islands)]
        return members[(len(members) - 1) // 2]


def rank(member: Member, direction: Direction) -> tuple[float, int, EntryKey]:
    """Sort key, best first: score, then the smaller code, then the earlier entry."""
    return (member.score if direction == "minimize" else -member.score, member.nodes, member.key)


class Archive:
    """Elites by island. ``capacity`` members an island; of members with the same scores on every instance (the same
    behaviour) only the first ranked stays."""

    def __init__(self, seeds: Sequence[Member], *, islands: int, capacity: int, direction: Direction) -> None:
        if not seeds:
            raise ValueError("an archive needs at least one seed")
        self._direction: Direction = direction
        self._capacity = capacity
        self._seeds = tuple(sorted(seeds, key=lambda m: rank(m, direction)))
        self._islands: list[tuple[Member, ...]] = [self._best(self._seeds) for _ in range(islands)]

    def snapshot(self) -> Snapshot:
        """The state now."""
        return Snapshot(tuple(self._islands), self._seeds, self._direction)

    def admit(self, members: Iterable[Member]) -> tuple[tuple[EntryKey, ...], tuple[EntryKey, ...]]:
        """Take the members in, each into its island. Returns the keys that are new in the archive and the keys that
        left it."""
        before = {m.key for island in self._islands for m in island}
        for member in members:
            island = member.island % len(self._islands)
            self._islands[island] = self._best((*self._islands[island], member))
        after = {m.key for island in self._islands for m in island}
        return tuple(sorted(after - before)), tuple(sorted(before - after))

    def would_enter(self, member: Member) -> bool:
        """Whether :meth:`admit` would keep the member now."""
        island = member.island % len(self._islands)
        return any(m.key == member.key for m in self._best((*self._islands[island], member)))

    def _best(self, members: Sequence[Member]) -> tuple[Member, ...]:
        kept: dict[tuple[float, ...], Member] = {}
        for member in sorted(members, key=lambda m: rank(m, self._direction)):
            kept.setdefault(member.scores, member)
        return tuple(kept.values())[: self._capacity]
