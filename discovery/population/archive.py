"""The archive: an elite list for each island, which exchange their best, and the best of each kind beside them.

Membership is one interval. What is in an island or a cell is a member; a member that is in none any more has left, and
nothing brings it back: islands exchange members only, and a cell is entered by new members alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from db.records import EntryKey
from discovery.population.cells import Cells
from discovery.population.member import Member, rank
from discovery.population.snapshot import Snapshot
from evaluators.task import Direction

__all__ = ["Archive", "Member", "Snapshot", "rank"]


class Archive:
    """``capacity`` members an island; of members with the same scores on every instance (the same behaviour) an island
    keeps only the first ranked. ``cells``: the most kinds whose best is kept besides, whatever its island. Every
    ``migration`` batches (0: never) the best of each island is offered to the next one, the last island's to the
    first."""

    def __init__(
        self,
        seeds: Sequence[Member],
        *,
        islands: int,
        capacity: int,
        direction: Direction,
        cells: int = 0,
        migration: int = 0,
    ) -> None:
        if not seeds:
            raise ValueError("an archive needs at least one seed")
        self._direction: Direction = direction
        self._capacity, self._migration = capacity, migration
        self._seeds = tuple(sorted(seeds, key=lambda m: rank(m, direction)))
        self._islands: list[tuple[Member, ...]] = [self._best(self._seeds) for _ in range(islands)]
        self._cells = Cells(seeds, capacity=cells, direction=direction)

    def snapshot(self) -> Snapshot:
        """The state now."""
        return Snapshot(tuple(self._islands), self._seeds, self._direction, self._cells.members)

    def admit(
        self, members: Iterable[Member], batch: int | None = None
    ) -> tuple[tuple[EntryKey, ...], tuple[EntryKey, ...]]:
        """Take the members in, each into its island and its cell; then islands exchange their best when batch number
        ``batch`` is one that ends with it. Returns the keys that are new in the archive and those that left it."""
        before = self._keys()
        for member in members:
            island = member.island % len(self._islands)
            self._islands[island] = self._best((*self._islands[island], member))
            self._cells.admit(member)
        if batch is not None and self._migration and (batch + 1) % self._migration == 0:
            self._migrate()
        after = self._keys()
        return tuple(sorted(after - before)), tuple(sorted(before - after))

    def would_enter(self, member: Member) -> bool:
        """Whether :meth:`admit` would keep the member now."""
        island = member.island % len(self._islands)
        kept = self._best((*self._islands[island], member))
        return any(m.key == member.key for m in kept) or self._cells.would_enter(member)

    def _migrate(self) -> None:
        best = [island[0] for island in self._islands]
        for number, member in enumerate(best):
            target = (number + 1) % len(self._islands)
            self._islands[target] = self._best((*self._islands[target], member))

    def _keys(self) -> set[EntryKey]:
        return {m.key for group in (*self._islands, self._cells.members) for m in group}

    def _best(self, members: Sequence[Member]) -> tuple[Member, ...]:
        kept: dict[object, Member] = {}
        for member in sorted(members, key=lambda m: rank(m, self._direction)):
            kept.setdefault(member.alike, member)
        return tuple(kept.values())[: self._capacity]
