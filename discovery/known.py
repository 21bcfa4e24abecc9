"""The stage "known?": whose evaluation a slot's code has already, and which rejected idea it repeats.

Asked once a batch, in slot order, when all its replies are in: the answer depends on what was integrated and on the
earlier slots' code, never on what finishes first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from db.records import EntryKey
from discovery.population.memory import Memory
from discovery.population.novelty import NearCopy, Novelty
from discovery.slots import Slot


class Known:
    """Over the memory and the slots of a run. ``batch`` gives the slots of a batch that are not integrated yet."""

    def __init__(
        self,
        size: int,
        memory: Memory,
        novelty: Novelty,
        *,
        slot: Callable[[int], Slot],
        batch: Callable[[int], Iterable[int]],
    ) -> None:
        self._size, self._memory, self._novelty = size, memory, novelty
        self._slot, self._batch = slot, batch
        self._near: dict[int, NearCopy | None] = {}

    def owner(self, k: int) -> EntryKey | None:
        """The entry that owns the evaluation of slot ``k``'s code when that is not slot ``k`` itself: the first with
        that code among entries up to batch g−2, the slots of batch g−1 and the earlier slots of batch g."""
        candidate = self._slot(k).candidate
        if candidate is None:
            return None
        g = k // self._size
        known = self._memory.owner(candidate.hash)
        if known is not None and (known[0] <= g - 2 or (known[0] == g - 1 and known[1].kind == "own")):
            return known[1]
        for j in (*self._batch(g - 1), *range(g * self._size, k)):
            other = self._slot(j).candidate
            if other is not None and other.hash == candidate.hash:
                return EntryKey(j, "own")
        return None

    def first(self, hash_: str) -> EntryKey | None:
        """The integrated entry that owns the evaluation of this code."""
        found = self._memory.owner(hash_)
        return found[1] if found is not None else None

    def near_copy(self, k: int) -> NearCopy | None:
        """The rejected idea, integrated up to batch g−1, that slot ``k`` repeats in other words. A repair is near what
        it repairs, so only equal code counts there."""
        if k not in self._near:
            slot = self._slot(k)
            found = None
            if slot.candidate is not None and slot.plan.operator != "repair" and self.owner(k) is None:
                found = self._novelty.near(k // self._size - 1, slot.candidate, slot.plan.parents)
            self._near[k] = found
        return self._near[k]

    def same_shape(self, k: int) -> str | None:
        """The first digits of the hash of an earlier scored candidate from which slot ``k``'s differs in its numbers
        only."""
        candidate = self._slot(k).candidate
        return self._novelty.same_shape(k // self._size - 1, candidate) if candidate is not None else None

    def forget(self, k: int) -> None:
        """Drop what was found for a slot that is integrated."""
        self._near.pop(k, None)
