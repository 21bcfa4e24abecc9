"""The quality-diversity archive: the best member of each kind, so that a kind is not lost when another leads.

MAP-Elites (Mouret and Clune, arXiv 1504.04909) over descriptors that are the same on every machine: code size and lines
executed, each by the power of two, the class of instances on which the member gains most over the best seed (a coarse
form of its behaviour), and what the task says of the answers, by quarters.
"""

from __future__ import annotations

from collections.abc import Iterable

from discovery.population.member import Member, rank
from evaluators.task import Direction

Cell = tuple[int, int, str, tuple[tuple[str, int], ...]]
QUARTERS = 4


def cell_of(member: Member, seed: Member, direction: Direction) -> Cell:
    """Where a member belongs. ``seed``: the best seed, against which its strength is seen."""
    traits = tuple(
        (name, min(QUARTERS - 1, int(QUARTERS * min(1.0, max(0.0, value)))))
        for name, value in sorted(member.traits.items())
    )
    return (
        member.nodes.bit_length(),
        (member.lines or 0).bit_length(),
        _strength(member, seed, direction),
        traits,
    )


def _strength(member: Member, seed: Member, direction: Direction) -> str:
    """The class with the largest gain over the seed, relative to the size of the seed's scores there; "" when there is
    none. The typical size of all classes is added to each, so that a class near zero does not take every member."""
    sign = 1 if direction == "minimize" else -1
    shared = [g for g in member.by_group if g in seed.by_group]
    typical = sum(abs(seed.by_group[g]) for g in shared) / len(shared) if shared else 0.0
    gains = {
        g: sign * (seed.by_group[g] - member.by_group[g]) / (abs(seed.by_group[g]) + typical or 1.0)
        for g in shared
    }
    strongest = max(gains, key=gains.__getitem__, default="")
    return strongest if strongest and gains[strongest] > 0 else ""


class Cells:
    """At most ``capacity`` cells, each with its best member; when there are more, those whose members rank best stay.

    What is kept does not depend on the order of arrival: a cell's best only gets better, so a cell that was given up
    comes back only by a member that deserves it."""

    def __init__(self, seeds: Iterable[Member], *, capacity: int, direction: Direction) -> None:
        found = sorted(seeds, key=lambda m: rank(m, direction))
        self._seed, self._capacity, self._direction = found[0], capacity, direction
        self._best: dict[Cell, Member] = {}
        for member in found:
            self.admit(member)

    @property
    def members(self) -> tuple[Member, ...]:
        """Best ranked first."""
        return tuple(sorted(self._best.values(), key=self._rank))

    def admit(self, member: Member) -> None:
        """Take the member in where it is the best of its cell."""
        if not self.would_enter(member):
            return
        self._best[cell_of(member, self._seed, self._direction)] = member
        if len(self._best) > self._capacity:
            worst = max(self._best, key=lambda cell: self._rank(self._best[cell]))
            del self._best[worst]

    def would_enter(self, member: Member) -> bool:
        """Whether :meth:`admit` would keep the member now."""
        if not self._capacity:
            return False
        holder = self._best.get(cell_of(member, self._seed, self._direction))
        if holder is not None:
            return self._rank(member) < self._rank(holder)
        return len(self._best) < self._capacity or self._rank(member) < max(
            map(self._rank, self._best.values())
        )

    def _rank(self, member: Member) -> tuple[float, int, object]:
        return rank(member, self._direction)
