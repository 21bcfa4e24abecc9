"""Plain frozen records: what goes into the ledger and what comes out. No session, no lazy loading."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Literal, NamedTuple, NewType

EntryId = NewType("EntryId", int)
StudyId = NewType("StudyId", int)
LookId = NewType("LookId", int)

RunStatus = Literal["running", "waiting", "done", "interrupted", "failed"]
"""A waiting run has asked a person or an agent, and nobody has answered yet."""
ProposalState = Literal["intent", "replied", "refused", "failed"]
EntryKind = Literal["seed", "own", "tuned", "submitted"]
EntryOutcome = Literal[
    "scored", "stopped", "rejected", "timeout", "killed", "error", "quarantined", "refused", "lost", "noted"
]
EvaluationOutcome = Literal["scored", "stopped", "rejected", "timeout", "killed", "error", "quarantined"]
StudyState = Literal["running", "done", "failed"]
TrialState = Literal["complete", "pruned", "failed"]
LeaseState = Literal["held", "queued", "done", "quarantined", "left"]
"""At a worker; waiting for another one, since its worker was lost; ended well in spite of that; given up; held or
queued when the run's own process ended, which says nothing about the job."""
Json = Mapping[str, object]

TIMED_MARKS = frozenset({"slow", "marginal"})
"""Marks that come from a clock; they differ between machines, so the digest of a run leaves them out."""


SUBMITTED_FROM = 1_000_000_000
"""Where the requests of candidates from outside the slots begin: submission n is request (SUBMITTED_FROM + n, 0), its
entry (n, submitted)."""


class EntryKey(NamedTuple):
    """Names an entry within a run, before and after it has a row."""

    k: int
    kind: EntryKind


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run. ``settings``, ``versions`` and ``templates`` are frozen when it is made. ``batches_done`` is the last
    integrated batch, -1 before the first. The ledger sets ``created`` and ``updated`` (UTC, s)."""

    id: str
    task: str
    options: Json
    settings: Json
    seed: int
    evaluator_version: str
    versions: Json
    templates: Json
    isolated: bool
    layers: Json
    status: RunStatus = "running"
    reason: str = ""
    created: float = 0.0
    updated: float = 0.0
    batches_done: int = -1
    control_of: str | None = None


@dataclass(frozen=True, slots=True)
class EventRecord:
    id: int
    run: str | None
    kind: str
    created: float
    data: Json


@dataclass(frozen=True, slots=True)
class ProposalRecord:
    """One request of slot ``k`` (``r`` = 1 is the repair). ``asked`` counts how often the intent was sent; unknown
    figures are None, never 0. ``prompt`` is the JSON text of the messages. ``arm`` is the model that was asked for,
    ``model`` what the server says that it is; ``temperature`` is None where the server's own holds."""

    id: int
    run: str
    k: int
    r: int
    batch: int
    operator: str
    proposer: str
    model: str | None
    seed: int
    prompt: str | None
    state: ProposalState
    reply: str | None
    finish: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    cost: float | None
    seconds: float
    asked: int
    reason: str
    arm: str | None = None
    temperature: float | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """An integrated slot and what it took: its requests, the figures of those that were answered (None where one is
    unknown), and the scores of its candidate and of each parent. ``replies`` counts the answered requests."""

    k: int
    batch: int
    operator: str
    arm: str | None
    temperature: float | None
    requests: int
    replies: int
    tokens: int | None
    cost: float | None
    outcome: EntryOutcome
    checked: bool
    duplicate: bool
    score: float | None
    parents: tuple[float | None, ...]


@dataclass(frozen=True, slots=True)
class SubmissionRecord:
    """A candidate from outside the slots that waits for the next batch. ``text`` is what was handed in; ``prompted``
    says that it answers a prompt."""

    number: int
    operator: str
    text: str
    prompted: bool
    parents: tuple[EntryKey, ...]


@dataclass(frozen=True, slots=True)
class Spent:
    """What a run has used. ``samples`` counts slots, ``requests`` proposals, ``repeated`` intents that were asked
    again (perhaps paid twice). Sums hold the known figures only; ``uncounted`` and ``unpriced`` are the replies
    without token counts and without a cost."""

    samples: int = 0
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float = 0.0
    seconds: float = 0.0
    repeated: int = 0
    uncounted: int = 0
    unpriced: int = 0

    def __add__(self, other: Spent) -> Spent:
        return Spent(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    @property
    def tokens(self) -> int:
        return self.prompt_tokens + self.completion_tokens


@dataclass(frozen=True, slots=True)
class NewEntry:
    """An entry to be written; the ledger adds id, batch and depth. ``duplicate_of`` names the entry that owns the
    evaluation of equal code. ``candidate`` is None for a reply that is no candidate: it was refused, or it is a note,
    whose text is then the ``reason``."""

    k: int
    kind: EntryKind
    operator: str
    outcome: EntryOutcome
    candidate: str | None = None
    island: int = 0
    reason: str = ""
    score: float | None = None
    m: int = 0
    duplicate_of: EntryKey | None = None
    marks: frozenset[str] = frozenset()
    tuning_gain: float | None = None

    @property
    def key(self) -> EntryKey:
        return EntryKey(self.k, self.kind)


@dataclass(frozen=True, slots=True)
class EntryRecord:
    """An entry as stored. ``depth`` is 0 without parents, else one more than the deepest parent."""

    id: EntryId
    run: str
    k: int
    kind: EntryKind
    batch: int
    island: int
    operator: str
    candidate: str | None
    outcome: EntryOutcome
    reason: str
    score: float | None
    m: int
    duplicate_of: EntryId | None
    depth: int
    marks: frozenset[str]
    archived_from: int | None
    archived_to: int | None
    tuning_gain: float | None

    @property
    def key(self) -> EntryKey:
        return EntryKey(self.k, self.kind)


@dataclass(frozen=True, slots=True)
class Edge:
    """``parent`` is the parent number ``position`` of ``child``; the child belongs to the batch being written."""

    child: EntryKey
    parent: EntryKey
    position: int = 0


@dataclass(frozen=True, slots=True)
class Leave:
    """A member leaves the archive; the mark says why."""

    key: EntryKey
    mark: str = "evicted"


@dataclass(frozen=True, slots=True)
class NewLook:
    """Gate look ``k`` (from 1) of a run."""

    k: int
    entry: EntryKey
    champion: EntryKey
    block: int
    alpha: float
    p_value: float
    effect: float
    passed: bool
    detail: Json = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LookRecord:
    id: LookId
    run: str
    k: int
    batch: int
    entry: EntryId
    champion: EntryId
    block: int
    alpha: float
    p_value: float
    effect: float
    passed: bool
    detail: Json


@dataclass(frozen=True, slots=True)
class NewPromotion:
    """``look`` is the number of the look that was passed; None for the best seed."""

    entry: EntryKey
    look: int | None = None
    gate_score: float | None = None


@dataclass(frozen=True, slots=True)
class PromotionRecord:
    id: int
    run: str
    batch: int
    entry: EntryId
    look: LookId | None
    gate_score: float | None


@dataclass(frozen=True, slots=True)
class Integration:
    """All that one batch changes, written in one transaction. Keys name entries of this batch or of earlier ones."""

    entries: tuple[NewEntry, ...] = ()
    parents: tuple[Edge, ...] = ()
    enter: tuple[EntryKey, ...] = ()
    leave: tuple[Leave, ...] = ()
    looks: tuple[NewLook, ...] = ()
    promotions: tuple[NewPromotion, ...] = ()
    events: tuple[tuple[str, Json], ...] = ()


@dataclass(frozen=True, slots=True)
class CandidateText:
    """A candidate as it enters the ledger: its hash, its text and the size of its syntax tree."""

    hash: str
    code: str
    nodes: int


@dataclass(frozen=True, slots=True)
class EvaluationRecord:
    """A candidate on an instance set: the first ``len(scores)`` instances in the set's fixed order. ``values`` are
    raw objectives, ``cpu`` processor seconds; all three have equal length. An invalid outcome is final."""

    candidate: str
    set_digest: str
    set_name: str
    set_size: int
    evaluator_version: str
    isolated: bool
    outcome: EvaluationOutcome
    scores: tuple[float, ...]
    values: tuple[float, ...]
    cpu: tuple[float, ...]
    answers_digest: str
    reason: str = ""
    answers: bytes | None = None
    output: bytes | None = None
    marginal: bool = False
    slow: bool = False
    lines: int | None = None
    """Lines executed on the screen split, by the candidate's own word; None where they were not counted."""

    @property
    def m(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True)
class StudyRecord:
    id: StudyId
    run: str
    k: int
    entry: EntryId | None
    seed: int
    n_trials: int
    state: StudyState


@dataclass(frozen=True, slots=True)
class TrialRecord:
    number: int
    parameters: Json
    state: TrialState
    scores: tuple[float, ...]
    value: float | None

    @property
    def m(self) -> int:
        return len(self.scores)


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """A job and the worker of a cluster that has it, or had it last. ``job`` is a hash of all that is run, so that the
    same job has the same name in the next process; ``candidate`` and ``purpose`` are for people. ``lost`` counts the
    workers that were lost with it, ``taken`` is when this one took it, UTC seconds."""

    job: str
    candidate: str
    purpose: str
    set_digest: str
    set_size: int
    parameters: Json
    node: str
    state: LeaseState
    lost: int
    taken: float


@dataclass(frozen=True, slots=True)
class ExportRecord:
    id: int
    run: str
    entry: EntryId
    path: str
    created: float
