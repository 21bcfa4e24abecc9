"""What is explained: a candidate of the ledger with its run, or a text of the user's own."""

from __future__ import annotations

from dataclasses import dataclass

from db.ledger import Ledger
from db.records import EntryRecord, RunRecord
from discovery.candidate import Candidate, Refused, check
from discovery.errors import UsageError
from discovery.review.names import candidate_entry, task_of
from evaluators.task import Task


@dataclass(frozen=True)
class Subject:
    """``run`` and ``entry`` are None for a text of the user's own."""

    task: Task
    candidate: Candidate
    run: RunRecord | None = None
    entry: EntryRecord | None = None


def of_ledger(ledger: Ledger, prefix: str) -> Subject:
    """The candidate whose hash begins so. Raises UsageError, LedgerError; TaskError when its task is not installed."""
    entry = candidate_entry(ledger, prefix)
    run = ledger.run(entry.run)
    task = task_of(run)
    return Subject(task, _checked(ledger.candidate_code(entry.candidate or ""), task), run, entry)


def of_text(code: str, task: Task) -> Subject:
    """A text of the user's own. Raises UsageError when it is no candidate."""
    return Subject(task, _checked(code, task))


def _checked(code: str, task: Task) -> Candidate:
    try:
        return check(code, task.interface)
    except Refused as error:
        raise UsageError(f"this is not a candidate for task {task.name!r}: {error}") from None
