"""Candidates from outside the slots: who handed one in waits for nobody, and the run takes it in with its next batch.

Which batch that was is in the ledger, so a replay takes the same candidates in at the same places.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from db.ledger import Ledger
from db.records import EntryKey, EntryRecord, NewEntry, SubmissionRecord
from discovery.candidate import Candidate, Refused, check
from discovery.evaluation import Evaluation
from discovery.members import marks, member_of
from discovery.population.archive import Member
from discovery.proposers.base import Operator
from discovery.proposers.reading import Unreadable, read_candidate
from evaluators.task import Interface, Task


@dataclass(frozen=True)
class Recorded:
    """A submission of a recorded run: the batch that took it in, and its code or why it was refused."""

    batch: int
    number: int
    operator: Operator
    parents: tuple[EntryKey, ...]
    code: str | None
    reason: str = ""


@dataclass(frozen=True)
class Submission:
    """A candidate to be taken in, or the reason why it is none."""

    number: int
    operator: Operator
    parents: tuple[EntryKey, ...]
    candidate: Candidate | None
    reason: str = ""

    @property
    def key(self) -> EntryKey:
        return EntryKey(self.number, "submitted")


class Inbox:
    """What waits to be taken in by one run: what a recorded run took in, and what is handed in now."""

    def __init__(
        self, run: str, interface: Interface, ledger: Ledger, recorded: Sequence[Recorded] = ()
    ) -> None:
        self._run, self._interface, self._ledger, self._recorded = run, interface, ledger, recorded

    def batch(self, g: int) -> tuple[Submission, ...]:
        """What batch ``g`` takes in, in order."""
        old = [self._again(r) for r in self._recorded if r.batch == g]
        return (*old, *(self._read(r) for r in self._ledger.waiting_submissions(self._run)))

    def waits(self, done: int) -> bool:
        """Whether anything is to be taken in by a batch behind ``done``."""
        if any(r.batch > done for r in self._recorded):
            return True
        return bool(self._ledger.waiting_submissions(self._run))

    def _again(self, old: Recorded) -> Submission:
        """A file may hold anything: code that is no candidate is refused, a parent that is not there is left out."""
        candidate, reason = None, old.reason
        if old.code is not None:
            candidate, reason = read(old.code, (), self._interface, prompted=False)
        parents = tuple(p for p in old.parents if self._ledger.entry(self._run, p.k, p.kind) is not None)
        return Submission(old.number, old.operator, parents, candidate, reason)

    def _read(self, record: SubmissionRecord) -> Submission:
        codes = [self._code(key) for key in record.parents] if record.prompted else []
        candidate, reason = read(record.text, codes, self._interface, prompted=record.prompted)
        return Submission(record.number, cast(Operator, record.operator), record.parents, candidate, reason)

    def _code(self, key: EntryKey) -> str:
        entry = self._ledger.entry(self._run, key.k, key.kind)
        return self._ledger.candidate_code(entry.candidate) if entry is not None and entry.candidate else ""


def read(
    text: str, parents: Sequence[str], interface: Interface, *, prompted: bool
) -> tuple[Candidate | None, str]:
    """The candidate in a text, or why there is none: a reply to a prompt is read like a model's, a file as it is."""
    try:
        return (read_candidate(text, parents, interface) if prompted else check(text, interface)), ""
    except (Unreadable, Refused) as error:
        return None, str(error)


def taken_in(
    submission: Submission,
    task: Task,
    evaluation: Evaluation,
    *,
    islands: int,
    known: Callable[[str], NewEntry | EntryRecord | None],
) -> tuple[NewEntry, Member | None]:
    """The entry of a submission, scored in full, and the member that it makes. It is never refused because its code is
    ``known``: it then takes the stored scores. Code that was stopped early is run to its end."""
    candidate = submission.candidate
    entry = NewEntry(
        k=submission.number,
        kind="submitted",
        operator=submission.operator,
        outcome="refused",
        reason=submission.reason,
        island=submission.number % islands,
    )
    if candidate is None:
        return entry, None
    entry = replace(entry, candidate=candidate.hash)
    owner = known(candidate.hash)
    if owner is not None and owner.outcome != "stopped":
        return replace(
            entry,
            duplicate_of=owner.key,
            outcome=owner.outcome,
            reason=owner.reason,
            score=owner.score,
            m=owner.m,
        ), None
    evaluated = evaluation.search(candidate, None)
    entry = replace(
        entry,
        outcome=evaluated.outcome,
        reason=evaluated.reason,
        score=evaluated.score,
        m=evaluated.m,
        marks=marks(evaluated),
    )
    return entry, member_of(task, entry, candidate, evaluated)
