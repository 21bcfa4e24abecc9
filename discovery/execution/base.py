"""Executors run stage jobs: one candidate on an ordered set of instances, judged on the trusted side.

A job is plain data and :func:`discovery.execution.stage.run_stage` a pure function of it, so every executor gives
the same result; they differ only in where and how many at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Literal, Protocol

from evaluators.task import InstanceSet

Outcome = Literal["scored", "stopped", "rejected", "timeout", "killed", "error", "quarantined"]


class Watch(Protocol):
    """Decides after each score whether the rest of a job is still worth running. A pure function of the scores."""

    def stop(self, scores: Sequence[float], total: int) -> bool:
        """``scores`` of the first instances of ``total``. True ends the job with the outcome "stopped"."""
        ...


@dataclass(frozen=True)
class StageJob:
    """One candidate on one instance set. ``prior`` are the scores that are stored already, of the first instances: they
    are not run again (a stored evaluation is only ever extended). ``prior_values`` are their raw objectives."""

    code: str
    instances: InstanceSet
    parameters: Mapping[str, float | int | str]
    prior: tuple[float, ...] = ()
    prior_values: tuple[float, ...] = ()
    watch: Watch | None = None
    call_limits: Mapping[int, float] = field(default_factory=dict)
    """The run's own limit of a call by instance size, s: exceeding it sets a flag, never a verdict."""
    confirm: bool = False
    """Run in another zygote than ordinary jobs and in reversed order; scores come back in the set's order."""
    screen: InstanceSet | None = None
    """Instances that go to the same child first. Only when it answers all of them are the others released."""
    inside: bool = False
    """Policy tasks: simulate inside the child, where the candidate could look. For the screen, whose scores count for
    nothing, and for a confirmation, whose event logs must be those from outside."""
    counted: bool = False
    """Count the lines that run: on the screen, or where there is none on the job's instances."""
    part: bool = False
    """The instances are a part of a set, so that nothing is asked that only a whole set can tell
    (:class:`evaluators.task.Keeping`)."""
    candidate: str = ""
    """The hash of its normalised code, and with ``purpose`` for people only: nothing depends on them."""
    purpose: str = ""
    """What it is run for, where its set's name does not say it."""


@dataclass(frozen=True)
class StageResult:
    """What came of a job. ``scores``, ``values``, ``cpu`` (s) and ``answers`` hold the instances done, in order
    (without ``prior``). An invalid candidate has the outcome and a reason, and its scores count for nothing."""

    outcome: Outcome
    reason: str
    scores: tuple[float, ...]
    values: tuple[float, ...]
    cpu: tuple[float, ...]
    strain: tuple[float, ...] = ()
    """What part of its limit of processor time each instance took; of a policy task, its slowest decisions of
    theirs."""
    answers: tuple[bytes, ...] = ()
    output: bytes = b""
    marginal: bool = False
    slow: bool = False
    lines: int | None = None
    """Lines executed, None where they were not counted or the job failed. The candidate's word."""
    host: float = 0.0
    """Processor time of the thread that ran the job: pipe, simulator and referee, s; of a measured task, whose referee
    waits for other processes, time on the wall. Decides nothing."""
    screen: StageResult | None = None
    """What came of the job's screen. Where that failed, the outcome and its reason are the screen's, and nothing else
    was run."""

    @property
    def passed(self) -> bool:
        """Whether the candidate got as far as the job's own instances."""
        return self.screen is None or self.screen.outcome == "scored"


class Executor(Protocol):
    """Where jobs run. ``submit`` never blocks for long; results come in any order."""

    name: str
    workers: int
    isolated: bool
    layers: Mapping[str, object]
    """What the sandbox's self-test found when the executor started."""

    def submit(self, job: StageJob) -> Future[StageResult]: ...

    def close(self) -> None:
        """Let running jobs end, refuse new ones, end the child processes."""
        ...
