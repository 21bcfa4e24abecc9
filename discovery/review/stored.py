"""Evaluations as the ledger has them, and what they say about sets and classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sqlalchemy import select

from db.ledger import Ledger
from db.models import Evaluation
from db.records import EntryRecord, EvaluationRecord, RunRecord
from evaluators.task import InstanceSet, Mean, Task, in_classes


def on_search(ledger: Ledger, task: Task, record: RunRecord, entry: EntryRecord) -> EvaluationRecord | None:
    """What is stored of an entry's candidate on the search split, under its run's evaluator and isolation."""
    if entry.candidate is None:
        return None
    digest = task.instances("search").digest
    return ledger.evaluation(entry.candidate, digest, record.evaluator_version, record.isolated)


def all_of(ledger: Ledger, candidate: str) -> tuple[EvaluationRecord, ...]:
    """Every evaluation of a candidate, in the order in which they began."""
    columns = select(Evaluation.set_digest, Evaluation.evaluator_version, Evaluation.isolated)
    with ledger.reading() as connection:
        keys = connection.execute(
            columns.where(Evaluation.candidate == candidate).order_by(Evaluation.id)
        ).all()
    found = (ledger.evaluation(candidate, digest, version, isolated) for digest, version, isolated in keys)
    return tuple(record for record in found if record is not None)


def sets_of(task: Task, digests: Iterable[str], blocks: Iterable[int]) -> dict[str, InstanceSet]:
    """The task's sets with these digests, ``blocks`` of the gate tried first. The final split is not looked at."""
    missing, found = set(digests), {}
    for candidate in _sets(task, blocks):
        if not missing:
            break
        if candidate.digest in missing:
            missing.discard(candidate.digest)
            found[candidate.digest] = candidate
    return found


def _sets(task: Task, blocks: Iterable[int]) -> Iterator[InstanceSet]:
    for split in ("screen", "search", "gate"):
        yield task.instances(split)
    for block in dict.fromkeys((*blocks, *range(task.gate_blocks))):
        yield task.gate(block)


def class_means(instances: InstanceSet, scores: Sequence[float], mean: Mean) -> dict[str, float]:
    """Mean score by class over the first ``len(scores)`` instances, the classes by name."""
    return dict(sorted(in_classes(instances, scores, mean).items()))
