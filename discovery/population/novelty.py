"""Near-copies of rejected ideas, caught before they are run.

An idea is rejected when its candidate failed in the sandbox, was refused by the referee, was stopped early, or scored
worse than its parents. A later candidate is a near-copy of it when the two are alike in the whole *and* in what the
later one changes on its own parents: children of one parent share most of their code, so the whole alone would say
little. What a run has rejected is a pure function of its integrated entries, so a resumed run refuses the same.
"""

from __future__ import annotations

import threading
from array import array
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from db.records import EntryKey, NewEntry
from discovery.candidate import Candidate, check
from discovery.escape import plain
from discovery.population.archive import Member
from discovery.population.firsts import Firsts, of_hash, shown
from discovery.population.ideas import idea
from discovery.population.likeness import Likeness, jaccard, likeness
from discovery.population.similar import SimilarSets
from evaluators.task import Direction, Interface

KEPT = 10_000
"""Rejected ideas that are remembered; the oldest are forgotten first."""
READ = 512
"""Candidates whose features are kept at hand: parents are asked for again and again."""
NEAR_COPY = "near-copy"
"""Mark of a candidate that was not run."""
NUMBERS = "numbers"
"""Mark of a candidate that differs from an earlier scored one in its numbers only."""
BY_LIMITS = frozenset({"timeout", "killed"})
"""Outcomes that other numbers alone may mend: fewer passes, a smaller table."""
FAILED = BY_LIMITS | {"rejected", "error", "quarantined"}


@dataclass(frozen=True, slots=True)
class Rejected:
    """An earlier candidate that failed or was worse, by the first digits of its hash; ``ended`` completes "which …".
    ``numbers`` are kept where other numbers may mend it."""

    batch: int
    hash: str
    ended: str
    features: array[int]
    numbers: tuple[str, ...] | None


@dataclass(frozen=True)
class NearCopy:
    """Why a candidate is not run: the rejected one that it resembles, and how much (1 = but for names, order and
    numbers)."""

    earlier: Rejected
    likeness: float

    @property
    def reason(self) -> str:
        """For the ledger and for later prompts."""
        how = (
            "equal but for names and numbers" if self.likeness == 1 else f"{100 * self.likeness:.0f} % alike"
        )
        return f"near-copy of {self.earlier.hash} ({how}), which {self.earlier.ended}; not run"


class Novelty:
    """The rejected ideas of a run. ``threshold`` is the likeness from which a candidate is a near-copy; at 1 only equal
    code is caught, and that is decided elsewhere. ``code`` gives the text of an integrated candidate by its hash.
    ``whole``: the instances of the search split where the task wants something kept over it
    (:class:`evaluators.task.Keeping`); who was rejected for that has a score of each. Thread-safe."""

    def __init__(
        self,
        threshold: float,
        *,
        interface: Interface,
        direction: Direction,
        code: Callable[[str], str],
        whole: int | None = None,
    ) -> None:
        self._threshold, self._whole = threshold, whole
        self._interface, self._direction, self._code = interface, direction, code
        self._rejected: dict[int, Rejected] = {}
        self._shapes = Firsts()
        self._read: OrderedDict[str, Likeness] = OrderedDict()
        self._index: SimilarSets | None = None
        self._lock = threading.Lock()

    @property
    def on(self) -> bool:
        """Whether anything but equal code is caught."""
        return self._threshold < 1

    def start(self, seeds: Iterable[Member]) -> None:
        """The shapes that are known before the first batch."""
        for seed in seeds if self.on else ():
            self._shapes.add(self._likeness(seed.hash, seed.code).shape, of_hash(seed.hash), -2)

    def remember(
        self, g: int, entries: Sequence[NewEntry], parents: Mapping[EntryKey, Sequence[float]]
    ) -> dict[EntryKey, str]:
        """Take in batch ``g``; ``parents`` are the scores of each entry's parents. Returns what ran well and was
        rejected all the same, in words, where its code has any."""
        said: dict[EntryKey, str] = {}
        if not self.on:
            return said
        tuned = {e.k: e.score for e in entries if e.kind == "tuned"}
        for entry in entries:
            if entry.kind != "own" or entry.candidate is None or entry.duplicate_of is not None:
                continue
            if NEAR_COPY not in entry.marks:
                ended = self._ended(entry, tuned.get(entry.k), parents.get(entry.key, ()))
                self._take(g, entry, entry.candidate, ended)
                if ended is not None and entry.outcome not in FAILED:
                    words = idea(self._code(entry.candidate))
                    said |= {entry.key: f"{words}: {ended}"} if words else {}
        return said

    def near(self, g: int, candidate: Candidate, parents: Iterable[Member]) -> NearCopy | None:
        """The rejected idea up to batch ``g`` that ``candidate`` is a near-copy of: the likest, of equals the first.

        A candidate with all its features from its parents changes numbers only, and parents are no rejected ideas."""
        if not self.on:
            return None
        own = self._likeness(candidate.hash, candidate)
        above = frozenset[int]().union(*(self._likeness(p.hash, p.code).features for p in parents))
        if own.features <= above:
            return None
        best: NearCopy | None = None
        for earlier in self._alike(g, own):
            theirs = frozenset(earlier.features)
            alike = min(jaccard(own.features, theirs), jaccard(own.features - above, theirs - above))
            if earlier.numbers is not None and own.numbers != earlier.numbers:
                continue
            if alike >= self._threshold and (best is None or alike > best.likeness):
                best = NearCopy(earlier, alike)
        return best

    def same_shape(self, g: int, candidate: Candidate) -> str | None:
        """The first digits of the hash of the first scored candidate up to batch ``g`` from which ``candidate``
        differs in nothing but names, order and numbers."""
        if not self.on:
            return None
        found = self._shapes.get(self._likeness(candidate.hash, candidate).shape)
        return shown(found[0]) if found is not None and found[1] <= g else None

    def _ended(self, entry: NewEntry, tuned: float | None, parents: Sequence[float]) -> str | None:
        """How a rejected idea ended; None for one that is not rejected."""
        if entry.outcome in FAILED:
            return f"ended as {entry.outcome}: {plain(entry.reason, limit=120)}"
        if entry.outcome == "stopped":
            return "was stopped early, clearly worse than what was there"
        if entry.outcome != "scored" or entry.score is None or not parents:
            return None
        sign = 1 if self._direction == "minimize" else -1
        best = min(sign * s for s in (entry.score, tuned) if s is not None)
        if all(best > sign * p for p in parents):
            nearest = max(sign * p for p in parents)
            return f"scored {entry.score:.5g}, worse than {sign * nearest:.5g} before"
        return None

    def _take(self, g: int, entry: NewEntry, hash_: str, ended: str | None) -> None:
        read = self._likeness(hash_, None)
        with self._lock:
            if entry.outcome == "scored":
                self._shapes.add(read.shape, of_hash(hash_), g)
            if ended is None:
                return
            if self._index is None:
                self._index = SimilarSets(KEPT, self._threshold)
            number, left = self._index.add(read.features)
            features = array("I", sorted(read.features))
            mendable = entry.outcome in BY_LIMITS or (entry.outcome == "rejected" and entry.m == self._whole)
            numbers = read.numbers if mendable else None
            self._rejected[number] = Rejected(g, hash_[:8], ended, features, numbers)
            if left is not None:
                del self._rejected[left]

    def _alike(self, g: int, own: Likeness) -> list[Rejected]:
        with self._lock:
            if self._index is None:
                return []
            found = [self._rejected[n] for n in self._index.like(own.features)]
        return [r for r in found if r.batch <= g]

    def _likeness(self, hash_: str, of: Candidate | str | None) -> Likeness:
        """The features of a candidate, given or by its text; None = by the text that the ledger holds."""
        with self._lock:
            if hash_ in self._read:
                self._read.move_to_end(hash_)
                return self._read[hash_]
        if not isinstance(of, Candidate):
            of = check(self._code(hash_) if of is None else of, self._interface)
        read = likeness(of)
        with self._lock:
            self._read[hash_] = read
            if len(self._read) > READ:
                self._read.popitem(last=False)
        return read
