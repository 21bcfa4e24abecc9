"""Scoring outside any run: always runs, writes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

from discovery.baselines import best_baseline
from discovery.candidate import Candidate, Refused, check, fingerprint, parse
from discovery.errors import NothingValid, UsageError
from discovery.execution.base import Executor, StageJob, StageResult
from discovery.execution.make import make_executor
from discovery.seeds import baseline_code
from evaluators.task import (
    Figure,
    Instance,
    InstanceSet,
    Replaying,
    Showing,
    Split,
    Task,
    aggregate,
    breach_of,
    mean_of,
)
from searchspaces.space import ParameterValue

__all__ = ["ScoreReport", "baseline_code", "baselines_report", "score_text"]

Say = Callable[[str], None]
CHUNK = 40
"""Instances run between two progress messages."""
LIVE_SECONDS = 60.0
"""Processor time for the baselines on instances of the user's own, s."""


@dataclass(frozen=True)
class ScoreReport:
    """One candidate on one set. ``rows`` are the scored instances in order: (instance, score, value, seconds)."""

    task: Task
    split: str
    outcome: str
    reason: str
    known: str | None
    score: float | None
    baseline: tuple[str, float] | None
    rows: tuple[tuple[Instance, float, float, float], ...]
    figures: tuple[Figure, ...]
    isolated: bool
    marginal: bool
    output: bytes = b""

    def to_json(self) -> dict[str, object]:
        """The documented object of ``score --json``."""
        kinds: dict[str, int] = {}
        for instance, *_ in self.rows:
            kinds[instance.reference_kind] = kinds.get(instance.reference_kind, 0) + 1
        return {
            "task": self.task.name,
            "split": self.split,
            "outcome": self.outcome,
            "reason": self.reason,
            "known": self.known,
            "score": self.score,
            "direction": self.task.direction,
            "unit": self.task.unit,
            "baseline": {"name": self.baseline[0], "score": self.baseline[1]} if self.baseline else None,
            "instances": [
                {
                    "id": i.id,
                    "score": score,
                    "value": int(value) if value == int(value) else value,
                    "reference": i.reference,
                    "reference_kind": i.reference_kind,
                    "cpu_seconds": seconds,
                }
                for i, score, value, seconds in self.rows
            ],
            "figures": {f.name: f.value for f in self.figures},
            "reference_kinds": kinds,
            "isolated": self.isolated,
            "marginal": self.marginal,
        }


@contextmanager
def _executor(task: Task, workers: int, unsafe: bool) -> Iterator[Executor]:
    executor = make_executor(task, "local", workers, unsafe=unsafe)
    try:
        yield executor
    finally:
        executor.close()


def score_text(
    code: str,
    task: Task,
    instances: InstanceSet,
    *,
    parameters: Mapping[str, ParameterValue] | None = None,
    own: bool = False,
    check_first: bool = True,
    unsafe: bool = False,
    ledger_url: str | None = None,
    ledger_required: bool = True,
    progress: Say | None = None,
) -> ScoreReport:
    """Run a candidate on a set in one child. ``own``: the instances are the user's and no shipped split, so baselines
    are run live; instances without a reference take the best one's value. A ledger that is not ``required`` need not
    exist.

    Raises UsageError for parameters that the candidate does not have; a refused candidate is a report."""
    given = dict(parameters or {})
    refusal, known = None, None
    try:
        known = _known(code, ledger_url, required=ledger_required)
        if check_first:
            candidate = check(code, task.interface)
            _check_parameters(candidate, given)
    except Refused as error:
        refusal = str(error) if check_first else None
    baseline = None if own else best_baseline(task, instances.name)
    with _executor(task, 1, unsafe) as executor:
        if refusal is not None:
            refused = StageResult("rejected", refusal, (), (), ())
            return _report(task, instances, known, refused, executor, baseline)
        if own or any(i.reference is None for i in instances):
            instances, baseline = _with_baseline_values(task, instances, executor, progress)
        result = _run(executor, code, instances, given, progress)
        return _report(task, instances, known, result, executor, baseline)


def _run(
    executor: Executor,
    code: str,
    instances: InstanceSet,
    parameters: Mapping[str, ParameterValue],
    progress: Say | None,
) -> StageResult:
    watch = _Telling(progress) if progress is not None and len(instances) > CHUNK else None
    return executor.submit(StageJob(code, instances, dict(parameters), watch=watch)).result()


@dataclass(frozen=True)
class _Telling:
    """A watch that stops nothing and says how far it is."""

    say: Say

    def stop(self, scores: Sequence[float], total: int) -> bool:
        if len(scores) % CHUNK == 0 and len(scores) < total:
            self.say(f"{len(scores)}/{total} instances")
        return False


def _report(
    task: Task,
    instances: InstanceSet,
    known: str | None,
    result: StageResult,
    executor: Executor,
    baseline: tuple[str, float] | None,
) -> ScoreReport:
    scored = result.outcome == "scored"
    rows = tuple(zip(instances, result.scores, result.values, result.cpu, strict=False))
    return ScoreReport(
        task=task,
        split=instances.name,
        outcome=result.outcome,
        reason=result.reason,
        known=known,
        score=aggregate(instances.instances, result.scores, mean_of(task)) if scored else None,
        baseline=baseline,
        rows=rows,
        figures=_figures(task, instances, result) if scored or len(rows) == len(instances) else (),
        isolated=executor.isolated,
        marginal=result.marginal,
        output=result.output,
    )


def _figures(task: Task, instances: InstanceSet, result: StageResult) -> tuple[Figure, ...]:
    """The further figures, those that only the answers tell among them."""
    found = task.figures(instances.instances, result.values)
    if isinstance(task, Replaying):
        return *found, *task.replayed_figures(instances.instances, result.answers)
    return found


def _known(code: str, ledger_url: str | None, *, required: bool) -> str | None:
    """The hash under which the ledger holds equal code, or None."""
    if ledger_url is None:
        return None
    from db.errors import LedgerError, LedgerMissing
    from db.ledger import Ledger

    hash_ = fingerprint(parse(code))
    try:
        ledger = Ledger.open(ledger_url, create=False)
    except LedgerMissing:
        if required:
            raise
        return None
    try:
        ledger.candidate_code(hash_)
        return hash_
    except LedgerError:
        return None
    finally:
        ledger.close()


def _check_parameters(candidate: Candidate, given: Mapping[str, ParameterValue]) -> None:
    for name, value in given.items():
        if name not in candidate.defaults:
            has = ", ".join(candidate.defaults) or "none"
            raise UsageError(f"the candidate has no parameter {name!r}; it has: {has}")
        if isinstance(value, str) != isinstance(candidate.defaults[name], str):
            kind = "a text" if isinstance(candidate.defaults[name], str) else "a number"
            raise UsageError(f"the parameter {name} is {kind}, not {value!r}")


def _with_baseline_values(
    task: Task, instances: InstanceSet, executor: Executor, progress: Say | None
) -> tuple[InstanceSet, tuple[str, float] | None]:
    """The best baseline, run live, and references for instances that have none: the best baseline's value on each.

    Raises NothingValid when such an instance stays without a value."""
    open_ = [k for k, i in enumerate(instances) if i.reference is None]
    sign = 1 if task.direction == "minimize" else -1
    # Judging needs some reference; the raw objective, which is all that is used there, does not depend on it.
    blank = [
        replace(i, reference=0.0, reference_kind="baseline") if k in open_ else i
        for k, i in enumerate(instances)
    ]
    results = _live(task, InstanceSet(instances.name, tuple(blank)), executor, progress)
    scored = {name: r for name, r in results.items() if r.outcome == "scored"}
    if not open_:
        scores = {name: aggregate(instances.instances, r.scores, mean_of(task)) for name, r in scored.items()}
        best = min(scores, key=lambda n: (sign * scores[n], n), default=None)
        return instances, (best, scores[best]) if best is not None else None
    filled = list(instances)
    for k in open_:
        values = [r.values[k] for r in results.values() if len(r.values) > k]
        if not values or not scored:
            raise NothingValid(
                "no baseline gave an answer for every instance without an optimum, so nothing can be scored"
            )
        value = min(values, key=lambda v: sign * v)
        filled[k] = replace(filled[k], reference=value, reference_kind="baseline")
    completed = InstanceSet(instances.name, tuple(filled))
    name = min(scored, key=lambda n: (sign * sum(scored[n].values), n))
    result = executor.submit(StageJob(baseline_code(task, name), completed, {})).result()
    return completed, (name, aggregate(completed.instances, result.scores, mean_of(task)))


def _live(
    task: Task, instances: InstanceSet, executor: Executor, progress: Say | None
) -> dict[str, StageResult]:
    """The baselines on ``instances``, the fast ones first, by a probe on one of middle size. Once one has a score,
    those that would bring the processor time above LIVE_SECONDS are left out, and that is said."""
    codes = {n: baseline_code(task, n) for n, b in task.baselines().items() if b.path is not None}
    middle = sorted(instances, key=lambda i: i.size)[len(instances) // 2]
    probe = InstanceSet(instances.name, (middle,))
    probes = {n: executor.submit(StageJob(c, probe, {}, part=True)).result() for n, c in codes.items()}
    expected = {n: sum(r.cpu) * len(instances) for n, r in probes.items()}
    used, results, left_out = 0.0, dict[str, StageResult](), list[str]()
    for name in sorted(codes, key=lambda n: (probes[n].outcome != "scored", expected[n])):
        if used + expected[name] > LIVE_SECONDS and any(r.outcome == "scored" for r in results.values()):
            left_out.append(name)
            continue
        if progress is not None:
            progress(f"baseline {name} on {len(instances)} instances")
        results[name] = _run(executor, codes[name], instances, {}, None)
        used += sum(results[name].cpu)
    if left_out and progress is not None:
        progress(f"left out, since baselines get {LIVE_SECONDS:g} s of processor time: {', '.join(left_out)}")
    return results


def baselines_report(
    task: Task,
    split: Split,
    *,
    others: Mapping[str, str] | None = None,
    unsafe: bool = False,
    progress: Say | None = None,
) -> dict[str, tuple[float | None, float | None]]:
    """Scores of the baselines on ``split``, run anew: name → (as published, with the shipped tuned numbers). ``others``
    are further heuristics by name, run as their text says. Reference policies are among them where the task can score
    them (:class:`evaluators.task.Showing`); they run on the trusted side."""
    shipped, instances = task.shipped_scores(), task.instances(split)
    found: dict[str, tuple[float | None, float | None]] = {}
    codes = {n: baseline_code(task, n) for n, b in task.baselines().items() if b.path is not None}
    with _executor(task, 1, unsafe) as executor:
        for name, code in {**codes, **(others or {})}.items():
            if progress is not None:
                progress(f"running {name}")
            numbers = shipped[name].tuned_parameters if name in shipped else {}
            runs = [_run(executor, code, instances, p, None) for p in ({}, numbers)[: 2 if numbers else 1]]
            scores = [
                aggregate(instances.instances, r.scores, mean_of(task)) if r.outcome == "scored" else None
                for r in runs
            ]
            found[name] = (scores[0], scores[1] if numbers else None)
    if isinstance(task, Showing):
        for name in (n for n, b in task.baselines().items() if b.kind == "reference"):
            if progress is not None:
                progress(f"running {name}")
            judged = [task.policy(name, instance) for instance in instances]
            breach = breach_of(task, instances, [j.value for j in judged])
            score = aggregate(instances.instances, [j.score for j in judged], mean_of(task))
            found[name] = (None if breach is not None else score, None)
    return found
