"""The task contract: what a decision problem gives to the workbench.

A task is found by name (see :mod:`evaluators.registry`), bound once to its options, and from then on is plain
data plus four pure functions: its instances, its referee, its reader for the user's own files and its further
figures. This module holds the contract for *answer* tasks: the child calls the candidate once for each
instance and returns bytes of a fixed layout, which the referee validates and scores on the trusted side.

Everything a candidate may know about an instance is in :attr:`Instance.payload`; the reference stays here.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Literal, Protocol, get_args, runtime_checkable

Direction = Literal["minimize", "maximize"]
Split = Literal["screen", "search", "gate", "final"]
ReferenceKind = Literal["proved optimum", "bound", "best known", "baseline"]
ValueKind = Literal["scalar", "array", "mask", "permutation", "object"]
DType = Literal["int64", "float64", "bool", "object"]

Tier = Literal["strict", "library"]
"""What the child may read: nothing, or the libraries that it uses."""

Mean = Literal["arithmetic", "geometric"]
"""How scores are averaged, within a class and over the classes."""

SPLITS: tuple[Split, ...] = ("screen", "search", "gate", "final")


class TaskError(Exception):
    """A user's mistake about a task (unknown name, bad option, broken instance file): one clear sentence."""


class Missing(TaskError):
    """Something that a task needs is not on this machine (a package of an extra, a compiler): one clear sentence."""


class InvalidAnswer(Exception):
    """The referee refuses an answer; the text is shown to the proposer. The candidate has no score."""


class ImpossibleAnswer(InvalidAnswer):
    """An answer beats a proved optimum: a bug or a cheat. The candidate is quarantined, never celebrated."""


@dataclass(frozen=True)
class Value:
    """One argument or the return value of a candidate, as data.

    ``low`` and ``high`` bound the entries (``None`` = unbounded); ``length`` names the dimension of an array
    (``"n"``; two values with the same name have the same length). ``unit`` is compared by the genetic proposer
    when it builds sums, so equal quantities carry equal units.

    What is no number and no array of numbers is an ``"object"`` of the task's own, by kind and by dtype, without
    bounds, unit and length: ``description`` tells its attributes and methods (:attr:`Interface.facts` has room for
    more). The adapter makes such arguments and takes such return values apart; nothing else looks into them.
    """

    name: str
    kind: ValueKind
    dtype: DType
    description: str
    unit: str = ""
    low: float | None = None
    high: float | None = None
    length: str | None = None


@dataclass(frozen=True)
class Interface:
    """The function a candidate implements: ``def function(arguments, *, parameters) -> returns``."""

    function: str
    summary: str
    arguments: tuple[Value, ...]
    returns: Value
    facts: tuple[str, ...] = ()
    """Constants and rules worth knowing, one sentence each; rendered into prompts."""
    hooks: tuple[Interface, ...] = ()
    """Further functions that a candidate may define beside this one, in the same module. Their names differ, and they
    have no hooks of their own. A policy's simulation asks them, an answer task's adapter calls them."""
    absent: str = ""
    """Of a hook: what the task does where a candidate does not define it, one sentence."""

    @property
    def objects(self) -> tuple[Value, ...]:
        """The arguments and the return value that are objects."""
        return tuple(v for v in (*self.arguments, self.returns) if v.kind == "object")

    @property
    def functions(self) -> tuple[Interface, ...]:
        """This function and its hooks."""
        return (self, *self.hooks)

    @property
    def hook_names(self) -> frozenset[str]:
        return frozenset(hook.function for hook in self.hooks)


@dataclass(frozen=True)
class Option:
    """One ``--option name=value`` of a task. ``choices`` are the words allowed, comma-separated lists of them
    when ``many``."""

    name: str
    default: str
    description: str
    choices: tuple[str, ...] = ()
    many: bool = False


@dataclass(frozen=True)
class Instance:
    """One problem. ``payload`` is all that crosses into the sandbox; ``answer_bytes`` is the exact length of
    the answer; ``limit`` is the hard limit of one call in seconds of processor time; ``group`` is the class
    (cell) by which scores are averaged and tests are stratified. ``withheld`` is what the referee needs besides
    and no candidate may see."""

    id: str
    group: str
    size: int
    payload: bytes
    answer_bytes: int
    limit: float
    reference: float | None
    reference_kind: ReferenceKind
    withheld: bytes = b""


@dataclass(frozen=True)
class InstanceSet:
    """Instances in a fixed order in which the groups alternate (user files keep their own order)."""

    name: str
    instances: tuple[Instance, ...]

    def __len__(self) -> int:
        return len(self.instances)

    def __iter__(self) -> Iterator[Instance]:
        return iter(self.instances)

    @cached_property
    def digest(self) -> str:
        """SHA-256 over everything that decides a score, in order."""
        h = hashlib.sha256()
        for i in self.instances:
            head = f"{i.id}\0{i.group}\0{i.size}\0{i.answer_bytes}\0{i.limit!r}\0{i.reference!r}\0{i.reference_kind}\0"
            h.update(head.encode())
            h.update(len(i.payload).to_bytes(8, "little"))
            h.update(i.payload)
            if i.withheld:
                h.update(b"withheld" + len(i.withheld).to_bytes(8, "little"))
                h.update(i.withheld)
        return h.hexdigest()


@dataclass(frozen=True)
class Judgement:
    """The referee's word on one answer: the raw objective ``value`` and the ``score`` built from it."""

    value: float
    score: float


@dataclass(frozen=True)
class Baseline:
    """A published heuristic shipped as a candidate file, or (``kind="reference"``) a trusted policy without one."""

    name: str
    kind: Literal["baseline", "reference"]
    source: str
    path: Path | None = None


@dataclass(frozen=True)
class ShippedScore:
    """Scores of one baseline as shipped with the package: split name ("search", "gate") → score, without the splits on
    which it has none (:class:`Keeping`). ``classes``: class of the search split → mean score there, tuned where that is
    better on the split; empty where they do not ship."""

    published: Mapping[str, float]
    tuned: Mapping[str, float]
    tuned_parameters: Mapping[str, float | int | str]
    classes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Figure:
    """One further figure of a scored set, reported beside the score (plain gap, share optimal, …)."""

    name: str
    value: float
    unit: str = ""


class Task(Protocol):
    """An answer task, bound to its options. Constructing one is cheap: instances are loaded when asked for."""

    name: str
    summary: str
    direction: Direction
    unit: str
    measured: bool
    """Whether scores are measured (times of what was answered), so that the same answer does not get the same score
    twice. Answers are then what must repeat; scores are taken from the ledger wherever it has them."""
    version: str
    """Evaluator version; stored scores of another version are never reused."""
    interface: Interface
    seeds: tuple[str, ...]
    options: tuple[Option, ...]
    settings: Mapping[str, str]
    """The options as bound, defaults filled in."""
    adapter: Path
    """The only task code inside the sandbox: a module with ``answer(function, payload, parameters) -> bytes``.

    Where the interface has hooks it is ``answer(function, payload, parameters, hooks)``: ``hooks`` maps the names of
    those that the candidate defines to callables whose own keyword parameters are bound, so that they take positional
    arguments alone. ``parameters`` are then those of ``function`` alone. An oracle (:class:`evaluators.policy.Asking`)
    comes before: ``answer(function, payload, parameters, ask, hooks)``."""
    memory: int
    """Bytes that a candidate may use on top of the interpreter."""
    gate_blocks: int
    """How many distinct gate blocks looks can draw; 1 = a fixed gate that is reused."""

    def baselines(self) -> Mapping[str, Baseline]:
        """Baselines and reference policies by name."""
        ...

    def shipped_scores(self) -> Mapping[str, ShippedScore]:
        """Scores that ship with the package for these settings and this version; empty when none are."""
        ...

    def instances(self, split: Split) -> InstanceSet:
        """The instances of a split. ``gate`` gives the report blocks, which no look ever opens.

        Raises TaskError when the shipped data does not match its recorded SHA-256."""
        ...

    def gate(self, block: int) -> InstanceSet:
        """Look block number ``block`` in ``range(gate_blocks)``."""
        ...

    def read(self, path: Path) -> InstanceSet:
        """The user's own instances, ids kept, in file order. Raises TaskError with the line and what is wrong."""
        ...

    def judge(self, instance: Instance, answer: bytes) -> Judgement:
        """Validate and score. Raises InvalidAnswer or ImpossibleAnswer; never runs candidate code."""
        ...

    def figures(self, instances: Sequence[Instance], values: Sequence[float]) -> tuple[Figure, ...]:
        """Further figures over scored instances, given their raw objectives."""
        ...


@dataclass(frozen=True)
class Proof:
    """What a reference solver says about one instance. ``optimum`` only when ``status`` is "proved"; ``bound`` is
    a proved lower (minimising) bound; ``value`` is the objective of ``sequence``, the best answer found."""

    id: str
    status: Literal["proved", "bound", "limit"]
    optimum: float | None
    bound: float | None
    value: float | None
    sequence: tuple[int, ...] | None
    seconds: float
    states: int | None = None
    gap: float | None = None


@runtime_checkable
class Provable(Protocol):
    """A task that can prove or bound the user's own instances (``discover reference``)."""

    solvers: tuple[str, ...]

    def prove(self, instances: InstanceSet, solver: str, seconds: float) -> Iterator[Proof]:
        """One proof an instance, in order. ``seconds`` limits each instance. Raises TaskError when ``solver`` is
        unknown or needs a package that is not installed."""
        ...


@runtime_checkable
class Showing(Protocol):
    """A task that can score its reference policies (baselines without a file) while one waits."""

    def policy(self, name: str, instance: Instance) -> Judgement:
        """The referee's word on what the policy of this name does with an instance. Raises TaskError for a policy that
        the task does not have, or whose programs are not installed."""
        ...


@dataclass(frozen=True)
class Training:
    """What training has made: the model's ``file``, from so many measured ``samples``, and how good it is."""

    file: Path
    samples: int
    figures: tuple[Figure, ...]


@runtime_checkable
class Trainable(Protocol):
    """A task with a model that is fitted to measurements (``discover train``)."""

    def train(
        self,
        out: Path,
        *,
        programs: int,
        schedules: int,
        over: Callable[[], bool],
        say: Callable[[str], None],
    ) -> Training:
        """Measure up to ``schedules`` answers to each of ``programs`` problems until ``over()``, fit the model to all
        that is measured and write it to ``out``. Measurements are kept beside it, and a later call goes on from there.
        ``say`` is told the progress. Raises TaskError where that is too little, or needs what is not installed."""
        ...


@runtime_checkable
class Describing(Protocol):
    """A task that says more of a candidate's answers than how good they are."""

    def descriptors(self, instances: Sequence[Instance], values: Sequence[float]) -> Mapping[str, float]:
        """Numbers from 0 to 1 by name, always the same names, about the answers on scored instances, given their raw
        objectives. They tell kinds of candidates apart (the archive keeps the best of each kind on request) and decide
        nothing else. A pure function."""
        ...


@runtime_checkable
class Replaying(Protocol):
    """A task whose answers tell more figures than their raw objectives do: ``discover score`` shows them as well."""

    def replayed_figures(self, instances: Sequence[Instance], answers: Sequence[bytes]) -> tuple[Figure, ...]:
        """Further figures over scored instances, given answers that the referee took. A pure function."""
        ...


@runtime_checkable
class Tiered(Protocol):
    """A task whose adapter, or what that calls, imports modules while it runs. Tasks are strict unless they say so."""

    tier: Tier
    """``"library"`` lets the child read the standard library and the packages that the adapter has imported, never
    write or execute; the price is told in docs/threat-model.md."""


@runtime_checkable
class Averaging(Protocol):
    """A task that says how its scores are averaged. The mean is arithmetic unless it says so."""

    mean: Mean
    """``"geometric"`` is the mean of ratios such as speed-ups: every score is then above 0, and all that compares
    scores compares their logarithms."""


@runtime_checkable
class Keeping(Protocol):
    """A task that scores one thing (speed) and wants another kept over a set (quality)."""

    def breach(self, instances: InstanceSet, values: Sequence[float]) -> str | None:
        """Why the raw objectives of a whole set do not keep it: one sentence for the proposer, None where they do. A
        pure function of both. It may ask for references where ``read`` gives every instance one; else instances of the
        user's own have none yet."""
        ...


@dataclass(frozen=True)
class HostAdapter:
    """A file of exported plugins through which another program (the host) uses them.

    ``template`` is a Jinja2 template, rendered to ``file`` within the package with ``package`` (its import name),
    ``function`` (the interface's) and ``arguments`` (their names); the module imports the callable by
    ``from . import <function>``. ``requires`` are the distributions that the host brings, named in the metadata as an
    extra called after the host: never a dependency of the plugin. ``usage`` is Markdown for the README, with the same
    names in double braces."""

    host: str
    file: str
    template: Path
    usage: str
    requires: tuple[str, ...] = ()


@runtime_checkable
class Hosted(Protocol):
    """A task whose exported plugins bring adapters to hosts (``discover export``)."""

    hosts: tuple[HostAdapter, ...]


def tier_of(task: Task) -> Tier:
    """What the child of ``task`` may read. Raises TaskError when it declares a tier that there is not."""
    tier = task.tier if isinstance(task, Tiered) else "strict"
    if tier not in get_args(Tier):
        raise TaskError(f"task {task.name!r} declares the tier {tier!r}; expected strict or library")
    return tier


def mean_of(task: Task) -> Mean:
    """How the scores of ``task`` are averaged. Raises TaskError when it declares a mean that there is not."""
    mean = task.mean if isinstance(task, Averaging) else "arithmetic"
    if mean not in get_args(Mean):
        raise TaskError(f"task {task.name!r} declares the mean {mean!r}; expected arithmetic or geometric")
    return mean


def breach_of(task: Task, instances: InstanceSet, values: Sequence[float]) -> str | None:
    """Why ``values``, the raw objectives of the whole set, do not keep what ``task`` wants kept (:class:`Keeping`);
    None where they do, for tasks that keep nothing, and on the screen, which is too small to say."""
    if instances.name == "screen" or not isinstance(task, Keeping):
        return None
    return task.breach(instances, values)


def aggregate(instances: Sequence[Instance], scores: Sequence[float], mean: Mean = "arithmetic") -> float:
    """The score of a set: the mean over groups of the mean within the group, so that every class counts alike.

    Raises TaskError for a score that has no geometric mean where ``mean`` is that one."""
    if not scores or len(scores) > len(instances):
        raise ValueError(f"{len(scores)} scores for {len(instances)} instances")
    return average([*in_classes(instances, scores, mean).values()], mean)


def in_classes(
    instances: Iterable[Instance], scores: Sequence[float], mean: Mean = "arithmetic"
) -> dict[str, float]:
    """Mean score of each class over the first ``len(scores)`` instances, the classes in the order of their first.
    Raises TaskError as :func:`aggregate` does."""
    cells: dict[str, list[float]] = {}
    for instance, score in zip(instances, scores, strict=False):
        cells.setdefault(instance.group, []).append(score)
    return {group: average(values, mean) for group, values in cells.items()}


def average(values: Sequence[float], mean: Mean = "arithmetic") -> float:
    """The mean of some scores, at least one. Raises TaskError as :func:`positive` does."""
    if mean == "geometric":
        positive(values)
        return math.exp(sum(map(math.log, values)) / len(values))
    return sum(values) / len(values)


def positive(scores: Sequence[float]) -> None:
    """Raises TaskError when one of ``scores`` is not above 0 and finite, so that it has no geometric mean."""
    wrong = next((s for s in scores if not 0 < s < math.inf), None)
    if wrong is not None:
        raise TaskError(
            f"the task gives the score {wrong!r}, but averages its scores geometrically, so that each must be above 0 "
            "and finite: this is a mistake of the task"
        )
