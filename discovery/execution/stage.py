"""One stage of one candidate: pump the instances into one child, judge each answer, stop when told.

The referee (``task.judge``) and the watch run here, on the trusted side; the next instance is released only after
the answer of the one before. Policy tasks differ in how an answer comes about, and in nothing else.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial

from discovery.candidate import signatures
from discovery.execution.base import Outcome, StageJob, StageResult
from discovery.execution.lockstep import Done, inside, lockstep
from discovery.sandbox.base import (
    DIED_TWICE,
    CandidateFailure,
    Oracle,
    Sandbox,
    SandboxUnavailable,
    Session,
    SessionLost,
)
from evaluators.policy import Asking, PolicyTask
from evaluators.task import ImpossibleAnswer, Instance, InstanceSet, InvalidAnswer, Task, breach_of


@dataclass
class _Tally:
    """What one session has produced so far."""

    scores: list[float] = field(default_factory=list)
    values: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    strain: list[float] = field(default_factory=list)
    answers: list[bytes] = field(default_factory=list)
    outcome: Outcome = "scored"
    reason: str = ""
    output: bytes = b""
    lines: int | None = None


def run_stage(sandbox: Sandbox, task: Task, job: StageJob) -> StageResult:
    """Run ``job`` in one session of ``sandbox``. A failing candidate is a result; only a sandbox that cannot isolate
    raises (SandboxUnavailable)."""
    # A measured task's referee waits for processes of its own: there the clock on the wall tells what it takes.
    clock = time.monotonic if task.measured else time.thread_time
    start = clock()
    try:
        try:
            result = _run(sandbox, task, job)
        except SessionLost:
            result = _run(sandbox, task, job)
    except SessionLost as error:
        raise SandboxUnavailable(f"{DIED_TWICE} ({error})") from None
    return replace(result, host=clock() - start)


def _run(sandbox: Sandbox, task: Task, job: StageJob) -> StageResult:
    """The job in one session. Raises SessionLost besides."""
    parts = [part for part in (screening(job), job) if part is not None]
    results: list[StageResult] = []
    counted = len(parts[0].instances) if job.counted else 0
    with _opened(sandbox, task, job, counted) as session:
        for part in parts:
            results.append(_part(session, task, part, last=part is job))
            if results[-1].outcome != "scored":
                break
    if len(parts) == 1:
        return results[0]
    return replace(results[1], screen=results[0]) if len(results) == 2 else _failed(results[0])


def _opened(sandbox: Sandbox, task: Task, job: StageJob, counted: int) -> Session:
    """A session with the hooks that the candidate has; each function gets those of the parameters that it takes."""
    interface = task.interface
    if not interface.hooks:
        return sandbox.session(job.code, interface.function, job.parameters, counted=counted)
    given = {
        name: {k: v for k, v in job.parameters.items() if k in taken}
        for name, taken in signatures(job.code, interface).items()
    }
    own = given.pop(interface.function, {})
    return sandbox.session(job.code, interface.function, own, hooks=given, counted=counted)


def screening(job: StageJob) -> StageJob | None:
    """The screen of ``job`` as a job of its own, None where it has none."""
    if job.screen is None:
        return None
    return StageJob(job.code, job.screen, job.parameters, call_limits=job.call_limits, inside=True)


def _failed(screen: StageResult) -> StageResult:
    """The result of a job whose screen failed."""
    return StageResult(screen.outcome, screen.reason, (), (), (), screen=screen)


def _part(session: Session, task: Task, job: StageJob, *, last: bool) -> StageResult:
    """Pump the instances of one job; the session is finished with the ``last`` one, or when nothing follows."""
    todo = job.instances.instances[len(job.prior) :]
    order = tuple(reversed(todo)) if job.confirm else todo
    tally = _Tally()
    try:
        _pump(session, task, job, order, tally)
        if last or tally.outcome != "scored":
            closing = session.finish()
            tally.output = closing.output
            tally.lines = closing.lines if job.counted and tally.outcome in ("scored", "stopped") else None
    except CandidateFailure as failure:
        tally.outcome, tally.reason = failure.kind, failure.reason
        if len(tally.cpu) == len(tally.scores):
            tally.cpu.append(failure.cpu_seconds)
    result = _result(tally, job, order)
    return result if job.part else kept(task, job.instances, result, job.prior_values)


def kept(task: Task, instances: InstanceSet, result: StageResult, prior: Sequence[float] = ()) -> StageResult:
    """``result`` of the whole set, ``prior`` being the raw objectives before its own: a rejection where all of them do
    not keep what the task wants kept. The scores stay with it as they do with any failure, and count for nothing."""
    why = breach_of(task, instances, (*prior, *result.values)) if result.outcome == "scored" else None
    return result if why is None else replace(result, outcome="rejected", reason=why)


def _pump(session: Session, task: Task, job: StageJob, order: tuple[Instance, ...], tally: _Tally) -> None:
    total, prior = len(job.instances), list(job.prior)
    for instance, done in zip(order, _answers(session, task, job, order), strict=True):
        tally.cpu.append(done.cpu_seconds)
        tally.strain.append(done.strain)
        try:
            judgement = task.judge(instance, done.answer)
        except InvalidAnswer as error:
            tally.outcome = "quarantined" if isinstance(error, ImpossibleAnswer) else "rejected"
            tally.reason = f"instance {instance.id}: {error}"
            return
        tally.scores.append(judgement.score)
        tally.values.append(judgement.value)
        tally.answers.append(done.answer)
        if job.watch is not None and job.watch.stop([*prior, *tally.scores], total):
            tally.outcome = "stopped"
            return


def _answers(session: Session, task: Task, job: StageJob, order: tuple[Instance, ...]) -> Iterator[Done]:
    """The answer to each instance, or its event log; computed as they are asked for. Raises CandidateFailure."""
    if not isinstance(task, PolicyTask):
        for instance in order:
            yield _called(session, task, instance)
    elif job.inside:
        for instance in order:
            yield inside(session, instance)
    else:
        hooks = signatures(job.code, task.interface) if task.interface.hooks else ()
        yield from lockstep(session, task, order, hooks=hooks, watched=job.watch is not None)


def _called(session: Session, task: Task, instance: Instance) -> Done:
    payload, size, limit = instance.payload, instance.answer_bytes, instance.limit
    if isinstance(task, Asking):
        oracle = Oracle(task.query_bytes, partial(task.oracle, instance))
        try:
            answer = session.call(payload, size, limit, oracle)
        except InvalidAnswer as error:
            raise CandidateFailure("rejected", f"instance {instance.id}: {error}") from None
    else:
        answer = session.call(payload, size, limit)
    return Done(answer.data, answer.cpu_seconds, answer.cpu_seconds / limit)


def _result(tally: _Tally, job: StageJob, order: tuple[Instance, ...]) -> StageResult:
    step = -1 if job.confirm else 1
    return StageResult(
        outcome=tally.outcome,
        reason=tally.reason,
        scores=tuple(tally.scores[::step]),
        values=tuple(tally.values[::step]),
        cpu=tuple(tally.cpu[::step]),
        strain=tuple(tally.strain[::step]),
        answers=tuple(tally.answers[::step]),
        output=tally.output,
        lines=tally.lines,
        slow=any(c > job.call_limits.get(i.size, math.inf) for i, c in zip(order, tally.cpu, strict=False)),
    )


def doubtful(job: StageJob, result: StageResult) -> tuple[int, ...]:
    """Positions of the calls whose processor time has to be taken again: those that ended between the limit and twice
    the limit, else the slowest one between half the limit and the limit; none for a clear verdict."""
    if result.outcome not in ("scored", "stopped") or (job.confirm and result.outcome == "stopped"):
        return ()
    ratios = result.strain
    over = tuple(k for k, r in enumerate(ratios) if r > 1)
    slowest = max(range(len(ratios)), key=ratios.__getitem__, default=None)
    if over or slowest is None or ratios[slowest] <= 0.5:
        return over
    return (slowest,)


def unsettled(job: StageJob, result: StageResult) -> bool:
    """Whether :func:`settle` would take a call again, of the job or of its screen."""
    screen = screening(job)
    return bool(doubtful(job, result)) or (
        screen is not None and result.screen is not None and bool(doubtful(screen, result.screen))
    )


def settle(sandbox: Sandbox, task: Task, job: StageJob, result: StageResult) -> StageResult:
    """Take the doubtful calls of ``result`` again (the caller sees to it that nothing else runs) and give the final
    verdict, flagged marginal: the second measurement decides. All calls before them are made again as well, in the same
    child and order, or code that is slow only in a later call would look fast. The screen's verdict comes first, since
    its failure is the job's."""
    screen = screening(job)
    early = doubtful(screen, result.screen) if screen is not None and result.screen is not None else ()
    again = doubtful(job, result)
    if not early and not again:
        return result
    if screen is None or result.screen is None:
        return _settled(task, job, result, run_stage(sandbox, task, _until(job, again)), again)
    if not again:
        second = run_stage(sandbox, task, _until(screen, early))
        screened = _settled(task, screen, result.screen, second, early)
        return replace(result, screen=screened) if screened.outcome == "scored" else _failed(screened)
    second = run_stage(sandbox, task, _until(job, again))
    assert second.screen is not None
    screened = result.screen
    if early or not second.passed:
        screened = _settled(task, screen, result.screen, second.screen, early)
    if screened.outcome != "scored":
        return _failed(screened)
    return _settled(task, job, replace(result, screen=screened), second, again)


def _until(job: StageJob, again: tuple[int, ...]) -> StageJob:
    """``job`` up to the last of the calls that are taken ``again``, in the order in which it makes them."""
    todo = job.instances.instances[len(job.prior) :]
    kept = todo[min(again) :] if job.confirm else todo[: max(again) + 1]
    instances = replace(job.instances, instances=kept)
    return replace(job, instances=instances, prior=(), prior_values=(), watch=None, counted=False, part=True)


def _settled(
    task: Task, job: StageJob, first: StageResult, second: StageResult, again: tuple[int, ...]
) -> StageResult:
    """``first`` with the times of the calls ``again`` and the verdict of ``second``, the job up to the last of them."""
    shift = min(again, default=0) if job.confirm else 0
    cpu = list(first.cpu)
    for k in again:
        cpu[k] = second.cpu[k - shift] if k - shift < len(second.cpu) else cpu[k]
    settled = replace(first, cpu=tuple(cpu), marginal=True)
    if second.outcome != "scored":
        return replace(settled, outcome=second.outcome, reason=second.reason)
    late = next((k for k in again if second.strain[k - shift] > 1), None)
    if late is None:
        return settled
    instance = job.instances.instances[len(job.prior) + late]
    limit, each = (
        (task.decision_limit, " a decision") if isinstance(task, PolicyTask) else (instance.limit, "")
    )
    reason = (
        f"instance {instance.id} (size {instance.size}) took {second.strain[late - shift] * limit:.3g} s of processor "
        f"time{each}; the limit is {limit:g} s"
    )
    return replace(settled, outcome="timeout", reason=reason)
