"""What is to be exported: a run's champion or a candidate, and why some candidates are not."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

from db.ledger import Ledger
from db.records import EntryRecord, RunRecord
from discovery.candidate import Candidate, Refused, check
from discovery.errors import NothingValid, UsageError
from discovery.escape import plain
from discovery.review.names import SHORT, candidate_entry, frozen, is_candidate, task_of
from discovery.review.overview import best_seed, promotions
from discovery.review.stored import all_of
from evaluators.task import Task

REORDERS = frozenset({"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"})
"""Classes of bidirectional control characters: text that holds one may read otherwise than it runs."""


@dataclass(frozen=True)
class Winner:
    """A scored candidate and its place in its run. ``seed`` is the run's best seed, ``seed_name`` its name there."""

    task: Task
    record: RunRecord
    entry: EntryRecord
    candidate: Candidate
    seed: EntryRecord
    seed_name: str
    champion: bool
    promoted: bool
    look: int | None

    @property
    def verdict(self) -> str:
        """What the run says of it, in one sentence."""
        own = self.candidate.hash[:SHORT]
        if self.champion and self.promoted:
            return f"the champion {own} passed look {self.look} of the gate"
        if self.champion:
            return (
                f"no candidate passed the gate: nothing beat the best seed, {self.seed_name}, which this is"
            )
        if self.promoted:
            return (
                f"the candidate {own} passed look {self.look} of the gate and was beaten by a later champion"
            )
        return f"the candidate {own} is not the champion of its run: it has not passed the gate"


def winner(ledger: Ledger, name: str) -> Winner:
    """The champion of the run ``name``, or the candidate whose hash begins so.

    Raises UsageError for a run without a champion or of another evaluator version, NothingValid for a candidate that
    has no score or must not leave, LedgerError, TaskError."""
    if is_candidate(name):
        entry = candidate_entry(ledger, name)
        record = ledger.run(entry.run)
    else:
        record = ledger.run(name)
        found = ledger.champion(record.id)
        if found is None:
            raise UsageError(
                f"run {record.id} has no champion yet: its seeds were not scored; resume it first"
            )
        entry = found
    task = task_of(record)
    if task.version != record.evaluator_version:
        raise UsageError(
            f"run {record.id} was made with version {record.evaluator_version} of the evaluator of {task.name!r}, now "
            f"it is {task.version}: its scores cannot be compared any more; start a new run"
        )
    candidate = _fit(ledger, task, entry)
    return _placed(ledger, task, record, entry, candidate)


def _placed(
    ledger: Ledger, task: Task, record: RunRecord, entry: EntryRecord, candidate: Candidate
) -> Winner:
    champion, seed = ledger.champion(record.id), best_seed(ledger.entries(record.id), task.direction)
    if seed is None:
        raise UsageError(f"run {record.id} has no scored seeds yet; go on with `discover resume {record.id}`")
    looks = promotions(ledger, record.id)
    return Winner(
        task=task,
        record=record,
        entry=entry,
        candidate=candidate,
        seed=seed,
        seed_name=bare(frozen(record).seeds.get(seed.candidate or "", (seed.candidate or "")[:SHORT])),
        champion=champion is not None and champion.candidate == entry.candidate,
        promoted=looks.get(entry.id) is not None,
        look=looks.get(entry.id),
    )


def _fit(ledger: Ledger, task: Task, entry: EntryRecord) -> Candidate:
    """The checked candidate of an entry. Raises NothingValid with the reason why it does not leave."""
    shown = (entry.candidate or "")[:SHORT]
    outcomes = {r.outcome for r in all_of(ledger, entry.candidate or "")}
    if entry.outcome == "quarantined" or "quarantined" in (*entry.marks, *outcomes):
        raise NothingValid(
            f"candidate {shown} is quarantined: {plain(entry.reason, limit=200) or 'its answers cannot be trusted'}; "
            "it cannot be exported"
        )
    if entry.outcome != "scored" or entry.score is None:
        why = f": {plain(entry.reason, limit=200)}" if entry.reason else ""
        raise NothingValid(
            f"candidate {shown} has no score (it ended as {entry.outcome}{why}); only scored ones are exported"
        )
    code = ledger.candidate_code(entry.candidate or "")
    try:
        candidate = check(code, task.interface)
    except Refused as error:
        raise NothingValid(f"candidate {shown} cannot be exported: {plain(str(error), limit=200)}") from None
    reordering = bidirectional(code)
    if reordering is not None:
        raise NothingValid(f"candidate {shown} cannot be exported: {reordering}")
    return candidate


def bare(name: str) -> str:
    """A seed's name without the folder of its file: what leaves the machine tells nothing of its folders."""
    return name.replace("\\", "/").rpartition("/")[2]


def bidirectional(code: str) -> str | None:
    """What to say of text that holds a bidirectional control character; None for other text."""
    for number, line in enumerate(code.split("\n"), 1):
        found = next((c for c in line if unicodedata.bidirectional(c) in REORDERS), None)
        if found is not None:
            return (
                f"line {number} holds the bidirectional control character U+{ord(found):04X}, so that the code may "
                "read otherwise than it runs; submit it without"
            )
    return None
