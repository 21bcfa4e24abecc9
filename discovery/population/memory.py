"""What a run remembers besides its archive: whose code is known, what failed, and what could still be repaired.

Batch g is proposed from what is known after batch g−2 while batch g−1 is being integrated, so every question names the
batch that it looks from. A pure function of the integrated entries: a resumed run remembers the same.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar, get_args

from db.records import EntryKey, EntryKind, NewEntry
from discovery.population.firsts import Firsts
from discovery.population.novelty import NEAR_COPY

T = TypeVar("T")
_KINDS: tuple[EntryKind, ...] = get_args(EntryKind)

REJECTED_SHOWN = 6
"""How many recent failures a prompt may name."""
BROKEN_KEPT = 16
"""How many candidates that failed in the sandbox are kept for repair."""
NOTES_SHOWN = 3
"""How many of the latest notes a prompt may quote."""
UNFAILED = frozenset({"scored", "stopped", "lost", "noted"})
"""Outcomes that are no failure of an idea: a lost slot says nothing about its idea."""
REPAIRABLE = frozenset({"rejected", "timeout", "killed", "error"})
"""Outcomes of the sandbox or the referee whose reason may help a proposer to mend the code."""


@dataclass(frozen=True)
class Broken:
    """A candidate that ran and failed: its entry, its code's hash, and why it failed."""

    key: EntryKey
    hash: str
    outcome: str
    reason: str


@dataclass(frozen=True)
class Known:
    """The hashes of all code that was integrated up to a batch, without a copy of them."""

    owners: Firsts
    batch: int

    def __contains__(self, hash_: object) -> bool:
        found = self.owners.get(hash_) if isinstance(hash_, str) else None
        return found is not None and found[1] <= self.batch


class Memory:
    """Grows by one batch at a time; ``seeds`` are the entries and hashes that it starts with, best first."""

    def __init__(self, seeds: Iterable[tuple[EntryKey, str]]) -> None:
        self._owners = Firsts()
        for key, hash_ in seeds:
            self._owners.add(hash_, _number(key), -2)
        self._failures: list[tuple[int, str]] = []
        self._broken: list[tuple[int, Broken]] = []
        self._tried: dict[EntryKey, int] = {}
        self._notes: list[tuple[int, str]] = []

    def remember(
        self,
        g: int,
        entries: Iterable[NewEntry],
        repaired: Iterable[EntryKey] = (),
        worse: Mapping[EntryKey, str] | None = None,
    ) -> None:
        """Take in batch ``g``; ``repaired`` are the broken candidates that its slots tried to repair, ``worse`` the
        words about ideas that ran and were rejected."""
        for key in repaired:
            self._tried.setdefault(key, g)
        for entry in entries:
            if entry.candidate is not None and entry.duplicate_of is None and NEAR_COPY not in entry.marks:
                self._owners.add(entry.candidate, _number(entry.key), g)
            if entry.outcome == "noted":
                self._notes.append((g, entry.reason))
            if worse and entry.key in worse:
                self._failures.append((g, f"{entry.operator}: {worse[entry.key]}"))
            if entry.outcome in UNFAILED or entry.duplicate_of is not None:
                continue
            self._failures.append((g, f"{entry.operator}: {entry.outcome}: {entry.reason}"))
            if entry.candidate is not None and entry.outcome in REPAIRABLE:
                found = Broken(entry.key, entry.candidate, entry.outcome, entry.reason)
                self._broken.append((g, found))
        # The two newest batches stand behind the view that proposals are made from.
        self._failures = _kept(self._failures, g, REJECTED_SHOWN)
        self._notes = _kept(self._notes, g, NOTES_SHOWN)
        waiting = [(batch, found) for batch, found in self._broken if not self._was_tried(found, g - 2)]
        self._broken = _kept(waiting, g, BROKEN_KEPT)
        kept = {found.key for _, found in self._broken}
        self._tried = {key: batch for key, batch in self._tried.items() if key in kept}

    def owner(self, hash_: str) -> tuple[int, EntryKey] | None:
        """The batch and the entry that own the evaluation of this code."""
        found = self._owners.get(hash_)
        return None if found is None else (found[1], _key(found[0]))

    def known(self, g: int) -> Container[str]:
        """The hashes that were integrated up to batch ``g``."""
        return Known(self._owners, g)

    def rejected(self, g: int) -> tuple[str, ...]:
        """Recent failures and rejected ideas up to batch ``g``, one line each, the newest last; what came several times
        stands once with its count."""
        counts: dict[str, int] = {}
        for text in [text for batch, text in self._failures if batch <= g][-REJECTED_SHOWN:]:
            counts[text] = counts.pop(text, 0) + 1
        return tuple(f"{text} ({n} times)" if n > 1 else text for text, n in counts.items())

    def broken(self, g: int) -> tuple[Broken, ...]:
        """What could be repaired and no slot up to batch ``g`` has tried to repair, oldest first."""
        waiting = (found for batch, found in self._broken if batch <= g and not self._was_tried(found, g))
        return tuple(waiting)[-BROKEN_KEPT:]

    def notes(self, g: int) -> tuple[str, ...]:
        """The latest notes up to batch ``g``, the newest last."""
        return tuple(text for batch, text in self._notes if batch <= g)[-NOTES_SHOWN:]

    def _was_tried(self, found: Broken, g: int) -> bool:
        return self._tried.get(found.key, g + 1) <= g


def _number(key: EntryKey) -> int:
    return key.k * len(_KINDS) + _KINDS.index(key.kind)


def _key(number: int) -> EntryKey:
    k, kind = divmod(number, len(_KINDS))
    return EntryKey(k, _KINDS[kind])


def repaired(entries: Iterable[NewEntry], origins: Mapping[EntryKey, EntryKey]) -> tuple[EntryKey, ...]:
    """The broken entries that these entries tried to repair: the first origin of every repair that got a reply."""
    tried = (e.key for e in entries if e.operator == "repair" and e.kind == "own" and e.outcome != "lost")
    return tuple(origins[key] for key in tried)


def _kept(found: list[tuple[int, T]], g: int, count: int) -> list[tuple[int, T]]:
    """All of the two newest batches and the last ``count`` before them."""
    older = [item for item in found if item[0] <= g - 2]
    return older[-count:] + found[len(older) :]
