"""A task's own pictures of what a candidate answered, where the ledger kept the answers (those of archive members)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

from db.errors import LedgerUnknown
from db.ledger import Ledger
from db.records import EntryRecord, EvaluationRecord
from discovery.review.names import candidate_entry, task_of
from discovery.review.stored import on_search
from evaluators.pictures import Picture, Pictured
from evaluators.task import Direction, InstanceSet


@dataclass(frozen=True)
class Shown:
    """An instance that can be shown and the candidate's score on it."""

    instance: str
    group: str
    score: float


@dataclass(frozen=True)
class Pictures:
    """The pictures of one answer. ``choices`` are all instances of the search split, the candidate's worst first."""

    candidate: str
    instance: str
    choices: tuple[Shown, ...]
    pictures: tuple[Picture, ...]

    def to_json(self) -> dict[str, object]:
        """The documented object."""
        made = [{"kind": type(p).__name__.lower(), **asdict(p)} for p in self.pictures]
        return {**asdict(self), "choices": [asdict(c) for c in self.choices], "pictures": made}


def pictures(ledger: Ledger, prefix: str, instance: str | None = None) -> Pictures | None:
    """Of the answer to ``instance``, by default the one with the worst score. None where the task has no pictures or
    the ledger no answers. Raises UsageError, LedgerError (also for an unknown instance) and TaskError."""
    entry = candidate_entry(ledger, prefix)
    return pictures_of(ledger, entry, instance)


def pictures_of(ledger: Ledger, entry: EntryRecord, instance: str | None = None) -> Pictures | None:
    """As :func:`pictures`, of an entry at hand."""
    record = ledger.run(entry.run)
    task = task_of(record)
    if not isinstance(task, Pictured):
        return None
    stored = on_search(ledger, task, record, entry)
    if stored is None or stored.answers is None or entry.candidate is None:
        return None
    search = task.instances("search")
    choices = _choices(search, stored, task.direction)
    name = choices[0].instance if instance is None else instance
    for found, answer in zip(search, _answers(search, stored.answers), strict=False):
        if found.id == name:
            return Pictures(entry.candidate, name, choices, tuple(task.pictures(found, answer)))
    raise LedgerUnknown(f"there is no instance {name!r} in the search split of {record.task}")


def _choices(search: InstanceSet, stored: EvaluationRecord, direction: Direction) -> tuple[Shown, ...]:
    sign = -1 if direction == "minimize" else 1
    found = [Shown(i.id, i.group, s) for i, s in zip(search, stored.scores, strict=False)]
    return tuple(sorted(found, key=lambda c: sign * c.score))


def _answers(search: InstanceSet, kept: bytes) -> Iterator[bytes]:
    """The answers, which are kept one after another in the set's order."""
    at = 0
    for instance in search:
        yield kept[at : at + instance.answer_bytes]
        at += instance.answer_bytes
