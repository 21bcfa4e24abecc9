"""What a proposer is: it gets a request with parents and returns a reply in text.

The loop owns everything else: it records the prompt before the call and the reply before reading it, turns the
reply into candidate text (:mod:`discovery.proposers.reading`), checks it and asks once more when the check fails.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol

from evaluators.task import Direction, Interface

Operator = Literal["create", "improve", "combine", "simplify", "repair", "reflect", "tune"]
Role = Literal["system", "user", "assistant"]

EDITS: frozenset[Operator] = frozenset({"improve", "combine", "simplify"})
"""Operators that change the code of scored parents and nothing else."""
WRITES: frozenset[Operator] = EDITS | {"create", "repair", "reflect"}
"""Operators of a proposer that reads and writes text."""


@dataclass(frozen=True)
class Brief:
    """What a proposer may know about the task: the interface as data and how scores read. No names of tasks."""

    interface: Interface
    summary: str
    direction: Direction
    unit: str
    call_limit: float
    """Hard limit of one call at the search split's largest size, seconds of processor time."""
    baseline: tuple[str, float] | None = None
    """Name and search score of the best baseline."""


@dataclass(frozen=True)
class Case:
    """One instance of the search split as a proposer may know it: its name, class and size, the score of a candidate
    there and the best score of that candidate's rivals (None without any)."""

    id: str
    group: str
    size: int
    score: float
    best: float | None


@dataclass(frozen=True)
class Rival:
    """The best rule known at the start of the run, with its mean score a class."""

    name: str
    score: float
    by_group: Mapping[str, float]


@dataclass(frozen=True)
class Parent:
    """A scored candidate a request builds on. ``code`` is its text, verbatim; ``by_group`` its mean score a class;
    ``nodes`` the size of its syntax tree, the cost that decides; ``worst`` the instances where it loses most."""

    hash: str
    code: str
    score: float
    by_group: Mapping[str, float] = field(default_factory=dict)
    nodes: int = 0
    worst: tuple[Case, ...] = ()


@dataclass(frozen=True)
class Failure:
    """Why the first attempt of a slot was refused: the reply as it came and the reason."""

    reply: str
    reason: str


@dataclass(frozen=True)
class Fault:
    """A candidate that failed when it ran: its text, verbatim, and why it failed."""

    code: str
    reason: str


@dataclass(frozen=True)
class Request:
    """One request of a slot. Equal requests get equal replies from every deterministic proposer."""

    slot: int
    attempt: int
    operator: Operator
    seed: int
    """The run's seed; draw from ``discovery.draws.generator(seed, slot, attempt, purpose)``."""
    brief: Brief
    parents: tuple[Parent, ...]
    rejected: tuple[str, ...] = ()
    """Recent ideas that failed, one line each: what and why (escaped, bounded)."""
    known: Container[str] = frozenset()
    """Hashes of the candidates that the snapshot already holds; proposing one again wastes the sample."""
    failure: Failure | None = None
    """Set when ``attempt`` is 1."""
    fault: Fault | None = None
    """What a repair starts from; its ``parents`` are code that works. Edits in the reply apply to the faulty code."""
    notes: tuple[str, ...] = ()
    """The latest notes of this run's reflections, the newest last."""
    rival: Rival | None = None
    """What the parents are compared with, class by class."""
    model: str | None = None
    """The model chosen for the slot, where there are several; a repair goes to the same one."""
    temperature: float | None = None
    """The rung of the slot; None leaves it to the proposer."""

    @property
    def edited(self) -> tuple[str, ...]:
        """The code that the reply builds on, the one that edits apply to first."""
        return (*((self.fault.code,) if self.fault else ()), *(p.code for p in self.parents))


@dataclass(frozen=True)
class Message:
    role: Role
    content: str


@dataclass(frozen=True)
class Reply:
    """What came back. Unknown figures are None, never 0; ``cost`` is in US dollars."""

    text: str
    model: str
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: float | None = None
    finish: str | None = None
    seconds: float = 0.0


class ProposerRefused(Exception):
    """This request was answered with an error that a later request may not meet (refusal, empty reply, context too
    long). The slot is lost and recorded; the run goes on. ``reply`` is set when tokens were spent all the same."""

    reply: Reply | None = None


class ProposerNoReply(ProposerRefused):
    """No reply came at all (time-outs, server errors, nothing recorded). The slot is lost, which says nothing about the
    idea."""


class ProposerUnavailable(Exception):
    """The proposer cannot be reached or will not work at all (connection refused, wrong key, HTML instead of
    JSON). The run stops cleanly and says so; nothing paid is lost."""


class ProposerDown(ProposerUnavailable):
    """The proposer cannot be reached at the moment (connection refused, server errors, a rate limit that does not end):
    the same request may be answered later."""


class ProposerWaiting(Exception):
    """The request is open until a person or an agent answers it. The run stops cleanly there and goes on then."""


class Proposer(Protocol):
    """Who answers. Called from several threads at once; holds no state that decides a reply."""

    name: str
    model: str | None
    operators: frozenset[Operator]
    """What it can be asked for. A replay can do what the recorded proposer could, so that its plans are the same."""
    most_tokens: int
    """Most tokens that one request may use, prompt and reply; 0 when none are used."""
    paid: bool
    """Whether replies may cost money or tokens (intents are then recorded before each call)."""

    def prompt(self, request: Request) -> tuple[Message, ...]:
        """The messages of a request, a pure function of it; recorded before the call. Empty for proposers that read
        the request itself."""
        ...

    def reserve(self, messages: tuple[Message, ...]) -> int:
        """Tokens (prompt and the longest reply) to reserve before the call; 0 when none are used."""
        ...

    def ask(self, request: Request, messages: tuple[Message, ...]) -> Reply:
        """One reply. Raises ProposerRefused or ProposerUnavailable."""
        ...
