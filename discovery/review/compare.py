"""Two candidates beside one another: their code, and their scores on the search split."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from db import lineage
from db.ledger import Ledger
from db.records import EntryRecord, EvaluationRecord
from discovery.draws import key
from discovery.errors import UsageError
from discovery.progress import gain
from discovery.review.names import candidate_entry, task_of
from discovery.review.stored import class_means, on_search
from discovery.statistics import paired_test
from evaluators.task import Task, mean_of


@dataclass(frozen=True)
class Difference:
    """``text`` is the unified difference of the code; ``data`` the figures. Gains are of B over A."""

    text: str
    data: Mapping[str, object]

    def to_json(self) -> dict[str, object]:
        """The object of ``diff --json``."""
        return {**self.data, "diff": self.text}


@dataclass(frozen=True)
class _Side:
    entry: EntryRecord
    task: Task
    version: str
    stored: EvaluationRecord | None

    @property
    def scores(self) -> tuple[float, ...]:
        return self.stored.scores[: self.entry.m] if self.stored is not None else ()


def difference(ledger: Ledger, a: str, b: str) -> Difference:
    """Compare two candidates by the beginnings of their hashes; what B changes in A.

    Raises UsageError, LedgerError; TaskError when a task is not installed."""
    sides = [_side(ledger, name) for name in (a, b)]
    names = [side.entry.candidate or "" for side in sides]
    codes = [ledger.candidate_code(name) for name in names]
    text = unified(codes[0], codes[1], f"a/{names[0][:8]}", f"b/{names[1][:8]}")
    return Difference(text, {"a": _told(sides[0]), "b": _told(sides[1]), **_figures(*sides)})


def descent(ledger: Ledger, run: str) -> Difference:
    """A run's champion against the ancestor at the root of its line of first parents; against itself where the champion
    is a seed. Raises UsageError, LedgerError; TaskError when the task is not installed."""
    record = ledger.run(run)
    champion = ledger.champion(record.id)
    if champion is None:
        raise UsageError(f"run {record.id} has no champion yet: its seeds were not scored; resume it first")
    root = ledger.entry_by_id(lineage.path_to_root(ledger, record.id, champion.id)[0])
    return difference(ledger, root.candidate or "", champion.candidate or "")


def unified(a: str, b: str, name_a: str, name_b: str) -> str:
    """A unified difference as ``diff -u`` writes it; empty for equal texts. Lines end at line feeds only."""
    lines = list(difflib.unified_diff(_lines(a), _lines(b), name_a, name_b, n=3))
    return "".join(x if x.endswith("\n") else f"{x}\n\\ No newline at end of file\n" for x in lines).rstrip(
        "\n"
    )


def _lines(text: str) -> list[str]:
    found = [line + "\n" for line in text.split("\n")]
    found[-1] = found[-1][:-1]
    return found if found[-1] else found[:-1]


def _side(ledger: Ledger, name: str) -> _Side:
    entry = candidate_entry(ledger, name)
    record = ledger.run(entry.run)
    task = task_of(record)
    return _Side(entry, task, record.evaluator_version, on_search(ledger, task, record, entry))


def _told(side: _Side) -> dict[str, object]:
    e = side.entry
    return {
        "candidate": e.candidate,
        "run": e.run,
        "task": side.task.name,
        "operator": e.operator,
        "outcome": e.outcome,
        "score": e.score,
        "m": e.m,
    }


def _figures(a: _Side, b: _Side) -> dict[str, object]:
    """Score differences. All None or empty where the two were not measured alike."""
    instances = a.task.instances("search")
    nothing: dict[str, object] = {"comparable": False, "gain": None, "test": None, "by_class": []}
    if a.version != b.version or a.task.name != b.task.name:
        return nothing
    if instances.digest != b.task.instances("search").digest:
        return nothing
    direction, m = a.task.direction, min(len(a.scores), len(b.scores))
    means = [class_means(instances, side.scores[:m], mean_of(a.task)) for side in (a, b)]
    return {
        "comparable": True,
        "direction": direction,
        "unit": a.task.unit,
        "instances": m,
        "gain": gain(direction, b.entry.score, a.entry.score),
        "test": _test(a, b),
        "by_class": [
            {"class": g, "a": mean, "b": means[1][g], "gain": gain(direction, means[1][g], mean)}
            for g, mean in means[0].items()
        ],
    }


def _test(a: _Side, b: _Side) -> dict[str, object] | None:
    """The paired stratified test of B over A where both have every score; H0: B is not better."""
    instances = a.task.instances("search")
    if a.entry.score is None or b.entry.score is None or not len(a.scores) == len(b.scores) == len(instances):
        return None
    groups = [i.group for i in instances]
    seed = key("difference", a.entry.candidate or "", b.entry.candidate or "")
    mean = mean_of(a.task)
    result = paired_test(b.scores, a.scores, groups, a.task.direction, seed, margin=0.0, mean=mean)
    return {"gain": result.effect, "low": result.low, "high": result.high, "p": result.p}
