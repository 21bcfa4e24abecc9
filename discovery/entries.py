"""What became of a slot, as the entry that its batch writes: its own candidate, and its tuned child.

Everything is asked of the run, which answers each question once; nothing is decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from db.ledger import Ledger
from db.records import Edge, EntryKey, EntryRecord, Json, NewEntry
from discovery.evaluation import Evaluated, Evaluation
from discovery.known import Known
from discovery.members import marks, member_of
from discovery.population.archive import Member
from discovery.population.novelty import NEAR_COPY, NUMBERS
from discovery.slots import Slot
from discovery.submissions import Submission, taken_in
from discovery.tuning import GAINED, Tuned
from evaluators.task import Task


@dataclass
class Batch:
    """What a batch writes, in the order in which it takes things in: slots, tuned children, submissions."""

    entries: list[NewEntry] = field(default_factory=list)
    edges: list[Edge] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    events: list[tuple[str, Json]] = field(default_factory=list)

    def add(self, entry: NewEntry, parents: Iterable[EntryKey], member: Member | None) -> None:
        """One entry with the edges to its parents, and its member where it makes one."""
        self.entries.append(entry)
        self.edges += [Edge(entry.key, parent, n) for n, parent in enumerate(parents)]
        self.members += [member] if member else []


class Entries:
    """Entries of one run's slots. ``slot``, ``evaluated`` and ``tuned`` are the run's answers about slot k."""

    def __init__(
        self,
        run: str,
        islands: int,
        *,
        task: Task,
        ledger: Ledger,
        evaluation: Evaluation,
        known: Known,
        slot: Callable[[int], Slot],
        evaluated: Callable[[int], Evaluated | None],
        tuned: Callable[[int], Tuned | None],
    ) -> None:
        self._run, self._islands, self._task, self._ledger, self._known = run, islands, task, ledger, known
        self._slot, self._evaluated, self._tuned = slot, evaluated, tuned
        self._evaluation = evaluation

    def batch(self, slots: Iterable[int], tuned: Iterable[int], submitted: Iterable[Submission]) -> Batch:
        """All that a batch of these slots writes. ``tuned`` are those whose numbers were tuned."""
        batch = Batch()
        for k in slots:
            entry, member = self.own(k)
            batch.add(entry, self._slot(k).plan.origins, member)
        for k in tuned:
            made, child = self.child(k), self._tuned(k)
            if made is not None and not any(_owns(e, made[0].candidate) for e in batch.entries):
                batch.add(made[0], (EntryKey(k, "own"),), made[1])
                if child is not None and child.lifted is not None:
                    batch.events.append((GAINED, {"k": k, **child.lifted}))
        for submission in submitted:
            entry, member = taken_in(
                submission,
                self._task,
                self._evaluation,
                islands=self._islands,
                known=lambda hash_: self._first(hash_, batch.entries),
            )
            batch.add(entry, submission.parents, member)
        return batch

    def own(self, k: int) -> tuple[NewEntry, Member | None]:
        """The entry of slot ``k``, and the member that it makes when it was scored in full."""
        slot, island = self._slot(k), k % self._islands
        base = NewEntry(k=k, kind="own", operator=slot.plan.operator, outcome="lost", island=island)
        if slot.candidate is None:
            if slot.note:
                return replace(base, outcome="noted", reason=slot.note), None
            return replace(base, outcome="lost" if slot.lost else "refused", reason=slot.reason), None
        owner, near = self._known.owner(k), self._known.near_copy(k)
        if owner is not None:
            return self._duplicate(base, slot.candidate.hash, owner), None
        if near is not None:
            self._ledger.put_candidate(slot.candidate.hash, slot.candidate.code, slot.candidate.nodes)
            marked = frozenset({NEAR_COPY})
            refused = replace(base, candidate=slot.candidate.hash, outcome="refused", marks=marked)
            return replace(refused, reason=near.reason), None
        evaluated = self._evaluated(k)
        assert evaluated is not None
        twin = self._known.same_shape(k) if evaluated.valid else None
        entry = replace(
            base,
            candidate=slot.candidate.hash,
            outcome=evaluated.outcome,
            reason=evaluated.reason if twin is None else f"differs from {twin} in its numbers only",
            score=evaluated.score,
            m=evaluated.m,
            marks=marks(evaluated) | ({NUMBERS} if twin is not None else frozenset()),
        )
        return entry, member_of(self._task, entry, slot.candidate, evaluated)

    def child(self, k: int) -> tuple[NewEntry, Member] | None:
        """The entry and the member of slot ``k``'s tuned child; None without one, or when the run had its code."""
        child = self._tuned(k)
        if child is None or self._known.first(child.candidate.hash) is not None:
            return None
        entry = NewEntry(
            k=k,
            kind="tuned",
            operator="tune",
            outcome=child.evaluated.outcome,
            candidate=child.candidate.hash,
            island=k % self._islands,
            score=child.evaluated.score,
            m=child.evaluated.m,
            marks=marks(child.evaluated),
            tuning_gain=child.gain,
        )
        member = member_of(self._task, entry, child.candidate, child.evaluated)
        return (entry, member) if member else None

    def _duplicate(self, entry: NewEntry, hash_: str, owner: EntryKey) -> NewEntry:
        """The entry of a slot whose code another entry owns, integrated already or an earlier one of this batch."""
        done: NewEntry | EntryRecord | None = self._ledger.entry(self._run, owner.k, owner.kind)
        if done is None:
            done = self.own(owner.k)[0]
        return replace(
            entry,
            candidate=hash_,
            duplicate_of=owner,
            outcome=done.outcome,
            reason=done.reason,
            score=done.score,
            m=done.m,
        )

    def _first(self, hash_: str, entries: Sequence[NewEntry]) -> NewEntry | EntryRecord | None:
        """The entry that owns the evaluation of this code, integrated already or among ``entries``."""
        known = self._known.first(hash_)
        if known is not None:
            return self._ledger.entry(self._run, known.k, known.kind)
        return next((e for e in entries if _owns(e, hash_)), None)


def _owns(entry: NewEntry, hash_: str | None) -> bool:
    """Whether this entry has run this code, or would have: a duplicate and a near-copy have not."""
    return entry.candidate == hash_ and entry.duplicate_of is None and NEAR_COPY not in entry.marks
