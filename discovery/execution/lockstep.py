"""Policy tasks: simulations on the trusted side, in lock-step, their policies answering from one child.

All simulations of a batch stand at a decision; one message carries their views, one answer their replies. The
simulators stay here, so that the candidate cannot know what has not happened yet.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from discovery.sandbox import records
from discovery.sandbox.base import CandidateFailure, Session
from discovery.sandbox.functions import Functions
from evaluators.policy import PolicyTask, Simulation
from evaluators.task import Instance, Interface, TaskError

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
    """A session with the candidate's functions, and the limit of a decision, s."""

    session: Session
    functions: Functions
    limit: float


@dataclass
class _Run:
    """One simulation under way. ``said`` is what it asks, None once it has ended with its ``log``."""

    instance: Instance
    replica: int
    simulation: Simulation
    said: Any = None
    log: bytes = b""
    cpu: float = 0.0
    strain: float = 0.0
    fresh: bool = True
    """Whether no message has been sent for it yet."""

    def step(self, reply: Any, functions: Functions) -> None:
        """Go on to the next decision, or to the end. Raises CandidateFailure where the simulator refuses the reply."""
        try:
            self.said = self.simulation.send(reply)
        except StopIteration as end:
            self.said, self.log = None, end.value
        except ValueError as error:
            reason = f"instance {self.instance.id}: {functions.asker(self.said)}{error}"
            raise CandidateFailure("rejected", reason) from None


@dataclass
class _Group:
    """Those of a message who ask the same function."""

    spec: records.Spec
    runs: list[_Run] = field(default_factory=list)
    views: list[records.View] = field(default_factory=list)
    lengths: list[records.Lengths] = field(default_factory=list)

    def pack(self) -> bytes:
        """Their records; empty where nobody asks."""
        self.lengths = [self.spec.lengths(view) for view in self.views]
        return (
            records.pack(self.spec, [r.replica for r in self.runs], self.views, self.lengths)
            if self.runs
            else b""
        )

    def reply_bytes(self) -> int:
        return records.reply_bytes(self.spec, self.lengths) if self.runs else 0

    def unpack(self, answer: bytes) -> list[Any]:
        """Their replies. Raises ValueError."""
        return records.unpack_replies(self.spec, answer, self.lengths) if self.runs else []


def functions(interface: Interface) -> Functions:
    """The interface as the pipe sees it, with all of its hooks."""
    return Functions(tuple(map(_spec, interface.functions)), bool(interface.hooks))


def _spec(interface: Interface) -> records.Spec:
    if interface.objects:
        raise TaskError(
            f"{interface.function}() of a policy task has the object {interface.objects[0].name!r}; views and replies "
            "are numbers and arrays of numbers"
        )
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
    session: Session,
    task: PolicyTask,
    instances: Sequence[Instance],
    *,
    hooks: Collection[str] = (),
    watched: bool,
) -> Iterator[Done]:
    """The instances in order, up to BATCH at once; a quarter of them at once where somebody watches, who may stop after
    a quarter. ``hooks``: those of the session. Raises CandidateFailure, with the processor time of the whole batch."""
    size = min(BATCH, -(-len(instances) // 4)) if watched else BATCH
    pipe = _Pipe(session, functions(task.interface).only(hooks), task.decision_limit)
    numbers = count()
    for start in range(0, len(instances), size):
        batch = [
            _Run(i, next(numbers), pipe.functions.start(task.simulate, i.payload))
            for i in instances[start : start + size]
        ]
        _play(pipe, batch)
        for run in batch:
            yield Done(run.log, run.cpu, run.strain)


def _play(pipe: _Pipe, batch: Sequence[_Run]) -> None:
    """Run a batch to its end."""
    try:
        for run in batch:
            run.step(None, pipe.functions)
        while running := [run for run in batch if run.said is not None]:
            _decide(pipe, running)
    except CandidateFailure as failure:
        failure.cpu_seconds += sum(run.cpu for run in batch)
        raise


def _decide(pipe: _Pipe, running: Sequence[_Run]) -> None:
    """One message: all simulations of ``running`` get their reply."""
    groups = _grouped(pipe.functions, running)
    message = pipe.functions.join([group.pack() for group in groups])
    sizes = [group.reply_bytes() for group in groups]
    limit = SLACK_SECONDS * max(1, sum(run.fresh for run in running)) + pipe.limit * len(running)
    answer = pipe.session.call(message, sum(sizes), limit)
    replies, at = [], 0
    try:
        for group, size in zip(groups, sizes, strict=True):
            replies += group.unpack(answer.data[at : at + size])
            at += size
    except ValueError as error:
        raise CandidateFailure("rejected", str(error), answer.cpu_seconds) from None
    share, strain = answer.cpu_seconds / len(running), answer.cpu_seconds / limit
    for run, reply in zip((run for group in groups for run in group.runs), replies, strict=True):
        run.cpu += share
        run.strain = max(run.strain, strain)
        run.fresh = False
        run.step(reply, pipe.functions)


def _grouped(functions: Functions, running: Sequence[_Run]) -> list[_Group]:
    """One group for each function, in their order."""
    if not functions.hooked:
        return [_Group(functions.specs[0], list(running), [run.said for run in running])]
    groups = [_Group(spec) for spec in functions.specs]
    for run in running:
        at, view = functions.asked(run.said)
        groups[at].runs.append(run)
        groups[at].views.append(view)
    return groups
