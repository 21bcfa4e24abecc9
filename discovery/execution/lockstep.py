"""Policy tasks: simulations on the trusted side, in lock-step, their policies answering from one child.

All simulations of a batch stand at a decision; one message carries their views, one answer their replies. The
simulators stay here, so that the candidate cannot know what has not happened yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from discovery.sandbox import records
from discovery.sandbox.base import CandidateFailure, Session
from evaluators.policy import PolicyTask, Simulation
from evaluators.task import Instance, Interface

BATCH = 64
"""Simulations in one message. More save little: the cost of a message is a few microseconds a decision by then."""
SLACK_SECONDS = 0.02
"""What a message may take besides its decisions, s, and once more for each simulation that begins with it: modules are
executed then, and a first call or a garbage collection takes milliseconds."""


@dataclass(frozen=True)
class Done:
    """An instance that is done: its answer or event log, the child's processor time for it, s, and what part of its
    limit that was (of a simulation: the worst of its messages)."""

    answer: bytes
    cpu_seconds: float
    strain: float


@dataclass(frozen=True)
class _Pipe:
    """A session with the interface as it sees it, and the limit of a decision, s."""

    session: Session
    spec: records.Spec
    limit: float


@dataclass
class _Run:
    """One simulation under way. ``view`` is None once it has ended with its ``log``."""

    instance: Instance
    replica: int
    simulation: Simulation
    view: Sequence[Any] | None = None
    log: bytes = b""
    cpu: float = 0.0
    strain: float = 0.0
    fresh: bool = True
    """Whether no message has been sent for it yet."""

    def step(self, reply: Any) -> None:
        """Go on to the next decision, or to the end. Raises CandidateFailure where the simulator refuses the reply."""
        try:
            self.view = self.simulation.send(reply)
        except StopIteration as end:
            self.view, self.log = None, end.value
        except ValueError as error:
            raise CandidateFailure("rejected", f"instance {self.instance.id}: {error}") from None


def spec(interface: Interface) -> records.Spec:
    """The interface as the pipe sees it."""
    returns = interface.returns
    return records.Spec(
        interface.function,
        tuple((a.dtype, a.length) for a in interface.arguments),
        (returns.dtype, returns.length),
        returns.low,
        returns.high,
    )


def inside(session: Session, instance: Instance) -> Done:
    """One simulation in the child, beside the candidate: quick, and its event log is the candidate's word."""
    limit = SLACK_SECONDS + instance.limit
    answer = session.simulate(instance.payload, instance.answer_bytes, limit)
    return Done(answer.data, answer.cpu_seconds, answer.cpu_seconds / limit)


def lockstep(
    session: Session, task: PolicyTask, instances: Sequence[Instance], *, watched: bool
) -> Iterator[Done]:
    """The instances in order, up to BATCH at once; a quarter of them at once where somebody watches, who may stop after
    a quarter. Raises CandidateFailure, with the processor time of the whole batch."""
    size = min(BATCH, -(-len(instances) // 4)) if watched else BATCH
    pipe = _Pipe(session, spec(task.interface), task.decision_limit)
    numbers = count()
    for start in range(0, len(instances), size):
        batch = [_Run(i, next(numbers), task.simulate(i.payload)) for i in instances[start : start + size]]
        _play(pipe, batch)
        for run in batch:
            yield Done(run.log, run.cpu, run.strain)


def _play(pipe: _Pipe, batch: Sequence[_Run]) -> None:
    """Run a batch to its end."""
    try:
        for run in batch:
            run.step(None)
        while running := [run for run in batch if run.view is not None]:
            _decide(pipe, running)
    except CandidateFailure as failure:
        failure.cpu_seconds += sum(run.cpu for run in batch)
        raise


def _decide(pipe: _Pipe, running: Sequence[_Run]) -> None:
    """One message: all simulations of ``running`` get their reply."""
    described = pipe.spec
    views = [run.view or () for run in running]
    lengths = [described.lengths(view) for view in views]
    message = records.pack(described, [run.replica for run in running], views, lengths)
    limit = SLACK_SECONDS * max(1, sum(run.fresh for run in running)) + pipe.limit * len(running)
    answer = pipe.session.call(message, records.reply_bytes(described, lengths), limit)
    try:
        replies = records.unpack_replies(described, answer.data, lengths)
    except ValueError as error:
        raise CandidateFailure("rejected", str(error), answer.cpu_seconds) from None
    share, strain = answer.cpu_seconds / len(running), answer.cpu_seconds / limit
    for run, reply in zip(running, replies, strict=True):
        run.cpu += share
        run.strain = max(run.strain, strain)
        run.fresh = False
        run.step(reply)
