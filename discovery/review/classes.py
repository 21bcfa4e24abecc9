"""Where a candidate wins and loses: its mean score by class of instances, beside its parents and a baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from db import lineage
from db.ledger import Ledger
from db.records import EntryRecord, RunRecord
from discovery.baselines import by_class
from discovery.progress import gain
from discovery.review.measured import measured_baselines
from discovery.review.names import candidate_entry, label, task_of
from discovery.review.stored import class_means, on_search
from evaluators.task import Direction, Task, mean_of


@dataclass(frozen=True)
class ClassScore:
    """Means over one class of the instances that the candidate was run on. ``gain`` is over the first parent,
    ``against`` over the baseline, both relative and positive when better."""

    name: str
    instances: int
    score: float
    parents: tuple[float | None, ...]
    gain: float | None
    baseline: float | None
    against: float | None

    def to_json(self) -> dict[str, object]:
        data = asdict(self)
        return {"class": data.pop("name"), **data, "parents": list(self.parents)}


@dataclass(frozen=True)
class Rival:
    """The best baseline whose scores by class are known, and its score on search: one whose classes ship with the task,
    or one that the ledger has measured, whose ``candidate`` is then told."""

    name: str
    candidate: str | None
    score: float


@dataclass(frozen=True)
class ClassScores:
    """``classes`` is empty for a candidate without scores."""

    candidate: str | None
    run: str
    direction: Direction
    unit: str
    parents: tuple[str, ...]
    """Names of the parents' entries, in the order of their columns."""
    rival: Rival | None
    classes: tuple[ClassScore, ...]

    def to_json(self) -> dict[str, object]:
        """The documented object."""
        return {
            "candidate": self.candidate,
            "run": self.run,
            "direction": self.direction,
            "unit": self.unit,
            "parents": list(self.parents),
            "rival": asdict(self.rival) if self.rival else None,
            "classes": [c.to_json() for c in self.classes],
        }


def class_scores(ledger: Ledger, prefix: str) -> ClassScores:
    """Of the entry that first held the candidate. Raises UsageError, LedgerError; TaskError when its task is not
    installed."""
    entry = candidate_entry(ledger, prefix)
    record = ledger.run(entry.run)
    return class_scores_of(ledger, task_of(record), record, entry)


def class_scores_of(ledger: Ledger, task: Task, record: RunRecord, entry: EntryRecord) -> ClassScores:
    """Means on search over the instances that the entry has scores of, everyone's on the same ones."""
    parents = [ledger.entry_by_id(i) for i in lineage.parents(ledger, record.id, entry.id)]
    own = on_search(ledger, task, record, entry)
    scores = own.scores[: entry.m] if own is not None else ()
    rival, means = _rival(ledger, task, record, len(scores)) if scores else (None, {})
    found = [on_search(ledger, task, record, p) for p in parents] if scores else []
    stored = [r.scores if r is not None else () for r in found]
    rows = _rows(task, scores, stored, means)
    return ClassScores(
        candidate=entry.candidate,
        run=record.id,
        direction=task.direction,
        unit=task.unit,
        parents=tuple(label(p) for p in parents),
        rival=rival,
        classes=rows,
    )


def _rival(ledger: Ledger, task: Task, record: RunRecord, m: int) -> tuple[Rival | None, Mapping[str, float]]:
    """The best baseline and its means over the first ``m`` instances. What ships are means over all of them, by the
    installed evaluator, so they serve only for a candidate that was scored in full by that one."""
    search, sign = task.instances("search"), 1 if task.direction == "minimize" else -1
    measured = next(iter(measured_baselines(ledger, task, record)), None)
    shipped = by_class(task) if m == len(search) and task.version == record.evaluator_version else None
    if shipped is not None and (measured is None or sign * shipped[1] < sign * measured.score):
        return Rival(shipped[0], None, shipped[1]), shipped[2]
    if measured is None:
        return None, {}
    means = class_means(search, measured.record.scores[:m], mean_of(task))
    return Rival(measured.name, measured.candidate, measured.score), means


def _rows(
    task: Task, scores: Sequence[float], parents: Sequence[Sequence[float]], baseline: Mapping[str, float]
) -> tuple[ClassScore, ...]:
    if not scores:
        return ()
    instances, m = task.instances("search"), len(scores)
    theirs = [class_means(instances, p[:m], mean_of(task)) for p in parents]
    counts = Counter(i.group for i in instances.instances[:m])
    return tuple(
        ClassScore(
            name=group,
            instances=counts[group],
            score=mean,
            parents=tuple(t.get(group) for t in theirs),
            gain=gain(task.direction, mean, theirs[0].get(group)) if theirs else None,
            baseline=baseline.get(group),
            against=gain(task.direction, mean, baseline.get(group)),
        )
        for group, mean in class_means(instances, scores, mean_of(task)).items()
    )
