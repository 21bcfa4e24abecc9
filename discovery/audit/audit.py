"""The audit of a run: every score whose answers are kept is recomputed by the referee without running any candidate,
the rest is run again, and every decision is taken again from the scores.

Scores that are measured do not come again: there the referee must take the kept answers, and a new run must give the
recorded ones. The final split stays closed. Scores on sets that the run's task does not have (other blocks of another
run's options) are left alone, as are time-outs, which depend on the machine; how many is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, fields
from functools import partial

from db.ledger import Ledger
from db.records import EvaluationRecord, RunRecord
from discovery.audit.decisions import entries_differ, looks_differ, promotions_differ
from discovery.audit.scores import REPEATABLE, Stored, compared, recomputed
from discovery.audit.trials import trials
from discovery.execution.base import Executor, StageJob, StageResult
from discovery.pace import told
from discovery.review.stored import all_of, sets_of
from evaluators.task import InstanceSet, Task

Say = Callable[[str], None]
AHEAD = 64
"""Jobs handed to the executor at once."""


@dataclass
class Audit:
    """What came of it. ``recomputed`` evaluations were judged again from kept answers, ``rerun`` and ``trials`` ran
    again; ``entries``, ``looks`` and ``promotions`` were decided again. ``left``: evaluations that were neither, by
    the reason. ``problems`` are sentences."""

    recomputed: int = 0
    rerun: int = 0
    trials: int = 0
    entries: int = 0
    looks: int = 0
    promotions: int = 0
    left: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def __add__(self, other: Audit) -> Audit:
        return Audit(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def to_json(self) -> dict[str, object]:
        counts = ("recomputed", "rerun", "trials", "entries", "looks", "promotions")
        return {**{name: getattr(self, name) for name in counts}, "left": dict(sorted(self.left.items()))}


@dataclass(frozen=True)
class _Again:
    """A job and what is wrong when it gave this."""

    job: StageJob
    compared: Callable[[StageResult], str | None]
    seconds: float


def audit(
    ledger: Ledger, task: Task, run: RunRecord, executor: Executor | None, progress: Say | None = None
) -> Audit:
    """Audit ``run``. Without an executor no candidate is run; what would have to be is counted as left."""
    found, say = Audit(), progress or (lambda _: None)
    entries = {e.id: e for e in ledger.entries(run.id)}
    looks = ledger.looks(run.id)
    hashes = dict.fromkeys(e.candidate for e in entries.values() if e.candidate is not None)
    records = {hash_: [r for r in all_of(ledger, hash_) if _of(r, run)] for hash_ in hashes}
    digests = {r.set_digest for group in records.values() for r in group}
    sets = sets_of(task, digests, [look.block for look in looks])

    def find(hash_: str, instances: InstanceSet) -> EvaluationRecord | None:
        return next((r for r in records.get(hash_, ()) if r.set_digest == instances.digest), None)

    todo = [*_evaluations(ledger, task, records, sets, found), *_trials(ledger, task, run, found)]
    if executor is None:
        found.left["not run"] += len(todo)
        found.rerun = found.trials = 0
    else:
        _rerun(executor, task, todo, found, say)
    found.entries = sum(e.outcome == "scored" for e in entries.values())
    found.looks, found.promotions = len(looks), len(ledger.promotions(run.id))
    found.problems += [
        *entries_differ(task, entries, find),
        *looks_differ(task, run, looks, entries, find),
        *promotions_differ(ledger, task, run, find),
    ]
    return found


def _of(record: EvaluationRecord, run: RunRecord) -> bool:
    return (record.evaluator_version, record.isolated) == (run.evaluator_version, run.isolated)


def _evaluations(
    ledger: Ledger,
    task: Task,
    records: Mapping[str, list[EvaluationRecord]],
    sets: Mapping[str, InstanceSet],
    found: Audit,
) -> Iterator[_Again]:
    """Recompute what has its answers; yield what must run."""
    for hash_, group in records.items():
        code: str | None = None
        for record in group:
            if record.set_digest not in sets:
                found.left["final split" if record.set_name == "final" else "other sets"] += 1
                continue
            stored = Stored(record, sets[record.set_digest], task.measured)
            if stored.valid and record.answers is not None:
                found.recomputed += 1
                problem = recomputed(task, stored)
                if problem is not None:
                    found.problems.append(problem)
            elif record.outcome not in REPEATABLE:
                found.left[f"{record.outcome}"] += 1
            else:
                found.rerun += 1
                code = code or ledger.candidate_code(hash_)
                yield _Again(stored.job(code), partial(compared, stored), sum(record.cpu))


def _trials(ledger: Ledger, task: Task, run: RunRecord, found: Audit) -> Iterator[_Again]:
    """The trials, but for those whose scores were measured: of them no answers are kept."""
    for trial in trials(ledger, task, run):
        if task.measured:
            found.left["measured trials"] += 1
            continue
        found.trials += 1
        yield _Again(trial.job, trial.compared, 0.0)


def _rerun(executor: Executor, task: Task, todo: list[_Again], found: Audit, say: Say) -> None:
    """Run the jobs, a bounded number ahead, and collect what does not agree, in order."""
    known = [again.seconds for again in todo if again.seconds]
    expected = sum(known) * len(todo) / len(known) if known else 0.0
    say(
        f"{found.recomputed} evaluations recomputed from their answers; {len(todo)} to run again"
        + (f", about {told(task, expected)}" if expected >= 1 else "")
    )
    running: list[tuple[_Again, Future[StageResult]]] = []
    waiting, done = iter(todo), 0
    while True:
        while len(running) < AHEAD and (again := next(waiting, None)) is not None:
            running.append((again, executor.submit(again.job)))
        if not running:
            return
        again, future = running.pop(0)
        problem = again.compared(future.result())
        if problem is not None:
            found.problems.append(problem)
        done += 1
        if done % 100 == 0:
            say(f"{done} of {len(todo)} run again")
