"""Executors run stage jobs: one candidate on an ordered set of instances, judged on the trusted side.

A job is plain data and :func:`discovery.execution.stage.run_stage` a pure function of it, so every executor gives
the same result; they differ only in where and how many at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Literal, Protocol

from evaluators.task import InstanceSet

Outcome = Literal["scored", "stopped", "rejected", "timeout", "killed", "error", "quarantined"]


@dataclass(frozen=True)
class Rival:
    """Scores of the snapshot's median member on the same instances; the job stops early when it is worse than these
    beyond doubt."""

    scores: tuple[float, ...]


@dataclass(frozen=True)
class StageJob:
    """One candidate on one instance set. ``start`` skips the instances whose scores are stored already (a stored
    evaluation is only ever extended); ``prior`` are those scores."""

    code: str
    instances: InstanceSet
    parameters: Mapping[str, float | int | str]
    prior: tuple[float, ...] = ()
    rival: Rival | None = None
    call_limit: float | None = None
    """The run's own limit of a call, s: exceeding it sets a flag, never a verdict."""


@dataclass(frozen=True)
class StageResult:
    """What came of a job. ``scores``, ``values`` and ``cpu`` hold the instances done, in order (without ``prior``);
    ``answers_digest`` is the SHA-256 of the new answers. An invalid candidate has the outcome and a reason, and its
    scores count for nothing."""

    outcome: Outcome
    reason: str
    scores: tuple[float, ...]
    values: tuple[float, ...]
    cpu: tuple[float, ...]
    answers_digest: str
    output: bytes = b""
    marginal: bool = False
    slow: bool = False
    answers: tuple[bytes, ...] = ()


class Executor(Protocol):
    """Where jobs run. ``submit`` never blocks for long; results come in any order."""

    name: str
    workers: int
    isolated: bool

    def submit(self, job: StageJob) -> Future[StageResult]: ...

    def close(self) -> None:
        """Let running jobs end, refuse new ones, end the child processes."""
        ...
