"""The baselines that a ledger has scores of, instance by instance: seeds of any run, and what a report measured."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from db.ledger import Ledger
from db.records import EvaluationRecord, RunRecord
from discovery.candidate import check, with_defaults
from discovery.seeds import baseline_code
from evaluators.task import Task, aggregate, mean_of


@dataclass(frozen=True)
class Measured:
    """A baseline with its evaluation on the whole search split; one with its tuned defaults says so in its name."""

    name: str
    candidate: str
    score: float
    record: EvaluationRecord


def measured_baselines(ledger: Ledger, task: Task, record: RunRecord) -> tuple[Measured, ...]:
    """The best first, under the run's evaluator and isolation. Nothing is run: what was never measured is not there."""
    search = task.instances("search")
    names = dict(_names(task))
    found = ledger.evaluations_on(search.digest, list(names), record.evaluator_version, record.isolated)
    sign = 1 if task.direction == "minimize" else -1
    whole = [r for r in found.values() if r.outcome == "scored" and r.m == len(search)]
    measured = [
        Measured(names[r.candidate], r.candidate, aggregate(search.instances, r.scores, mean_of(task)), r)
        for r in whole
    ]
    return tuple(sorted(measured, key=lambda m: (sign * m.score, m.name)))


def _names(task: Task) -> Iterator[tuple[str, str]]:
    """Hash and name of every baseline that is a candidate: with its tuned defaults, and as published, which wins where
    the two are equal."""
    shipped = task.shipped_scores()
    for name, baseline in task.baselines().items():
        if baseline.path is None:
            continue
        candidate = check(baseline_code(task, name), task.interface)
        numbers = shipped[name].tuned_parameters if name in shipped else {}
        if numbers:
            yield check(with_defaults(candidate, numbers), task.interface).hash, f"{name} (tuned)"
        yield candidate.hash, name
