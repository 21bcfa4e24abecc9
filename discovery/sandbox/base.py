"""What the sandbox promises: one locked-down child for one candidate, instances released one by one.

Everything in the child, the runner included, belongs to the candidate. Only bytes of an exact length, the kernel's
clock and the kernel's exit status count on this side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

FailureKind = Literal["rejected", "timeout", "killed", "error"]
Parameters = Mapping[str, float | int | str]
"""Keyword arguments of one function."""


@dataclass(frozen=True)
class Layers:
    """Which layers protect the child. All are required by default; tests switch single ones off to see an attack
    bite. ``namespaces`` is an extra that is used where the host permits it."""

    rlimits: bool = True
    no_new_privs: bool = True
    landlock: bool = True
    seccomp: bool = True
    namespaces: bool = True


@dataclass(frozen=True)
class Answer:
    """One answer: exactly the bytes asked for, and the child's processor time for this instance (s, kernel clock)."""

    data: bytes
    cpu_seconds: float


@dataclass(frozen=True)
class Oracle:
    """What a candidate may ask during one call. ``start`` gives a function that has forgotten all earlier calls: from a
    question of exactly ``query_bytes`` to the reply, or None once the budget of operations is used up. What it raises
    ends the session and reaches the caller."""

    query_bytes: int
    start: Callable[[], Callable[[bytes], bytes | None]]


class CandidateFailure(Exception):
    """The candidate failed; a result, not an infrastructure error.

    ``kind``: "rejected" (broke the protocol: early, odd or extra bytes, wrong length), "timeout" (processor time or
    the wall-clock backstop), "killed" (a signal: seccomp, memory, crash), "error" (an exception in the candidate or
    while its answer was converted). ``reason`` is bounded (300 characters), escaped, printable, one line.
    ``cpu_seconds`` is the child's time on the instance that failed."""

    def __init__(self, kind: FailureKind, reason: str, cpu_seconds: float = 0.0) -> None:
        super().__init__(f"{kind}: {reason}")
        self.kind = kind
        self.reason = reason
        self.cpu_seconds = cpu_seconds


class SandboxUnavailable(Exception):
    """This machine cannot isolate (a required layer is missing or its self-test failed), or the zygote died twice.
    The sentence names the layer and what to do."""


DIED_TWICE = "the sandbox's zygote died twice; is the machine out of memory?"


class SessionLost(Exception):
    """The zygote died under a policy's session, which is too long to be repeated message by message. It is running
    again, and whoever ran the session runs it anew."""


@dataclass(frozen=True)
class Closing:
    """The end of a session. ``output`` is what the candidate printed (at most 4 KB, raw, hostile). ``lines``: how many
    lines of it ran in the calls that were counted, at most :data:`discovery.sandbox.frames.MOST_LINES`: its own word,
    so it may describe the candidate and must not decide."""

    output: bytes
    cpu_seconds: float
    max_rss: int
    lines: int = 0


class Session(Protocol):
    """One child with one candidate loaded. A context manager: leaving it kills and reaps the child."""

    def __enter__(self) -> Session: ...

    def __exit__(self, *exc: object) -> None: ...

    def call(self, payload: bytes, answer_bytes: int, limit: float, oracle: Oracle | None = None) -> Answer:
        """Release one instance (of a policy task: a message with some decisions) and wait for its answer. ``limit``
        is seconds of processor time; the child is killed at twice that, and a call that ended beyond ``limit`` still
        returns its Answer, for the caller to judge. Raises CandidateFailure; after that the session is over."""
        ...

    def simulate(self, payload: bytes, answer_bytes: int, limit: float) -> Answer:
        """Policy tasks: let the adapter run one simulation beside the candidate, and wait for its event log, which
        is the candidate's word. Otherwise as ``call``."""
        ...

    def finish(self) -> Closing:
        """Ask for the captured output, check that nothing else follows and that the child exits with status 0.
        Raises CandidateFailure("rejected") for extra bytes or another exit."""
        ...


class Sandbox(Protocol):
    """A warm zygote for one task's adapter. Not shared between threads; one session at a time."""

    layers: Mapping[str, object]
    """What the self-test found: each required layer and whether it holds, the Landlock ABI, the namespaces used, the
    kernel. Stored with a run."""
    isolated: bool
    """False when a required layer is off or missing: every result is then marked."""

    def session(
        self,
        code: str,
        function: str,
        parameters: Parameters,
        *,
        hooks: Mapping[str, Parameters] | None = None,
        counted: int = 0,
    ) -> Session:
        """``hooks``: those that the candidate defines beside ``function``, in the order of the interface, with their
        own parameters; None where the task has none, whose adapter then takes no hooks. ``counted``: in how many
        calls, the first ones, the candidate's lines are counted."""
        ...

    def close(self) -> None: ...
