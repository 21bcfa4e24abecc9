"""Tasks of plain numbers and arrays: everything but the problem itself is done here, so that a task is a page.

A subclass of :class:`PlainTask` names its interface, draws an instance, measures an answer and gives a reference.
Splits, gate blocks, bytes, the reader of JSON Lines and the checks of an answer's form follow from these. A task that
needs more (its own harness in the child, a solver, shipped data) meets :class:`evaluators.task.Task` directly.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import numpy.typing as npt

from evaluators import bits, lines, plain_adapter, shipped
from evaluators.registry import bind
from evaluators.task import (
    Baseline,
    Direction,
    Figure,
    ImpossibleAnswer,
    Instance,
    InstanceSet,
    Interface,
    InvalidAnswer,
    Judgement,
    Mean,
    Option,
    ReferenceKind,
    ShippedScore,
    Split,
    TaskError,
    Value,
)

PROVED: tuple[ReferenceKind, ...] = ("proved optimum", "bound")
"""References that no answer can beat."""
SLACK = 1e-9
"""Relative rounding error that is no better answer."""
LONGEST_LINE, MOST_INSTANCES = 4_000_000, 10_000


class Draw:
    """The random numbers of one instance, the same on every machine and with every numpy."""

    def __init__(self, name: str) -> None:
        self._state = bits.stream(int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little"))
        self._used = 0

    def integers(self, low: int, high: int, count: int) -> npt.NDArray[np.int64]:
        """int64[count], each from ``low`` to ``high``, both included."""
        return (self._bits(count) % np.uint64(high - low + 1)).astype(np.int64) + low

    def floats(self, low: float, high: float, count: int) -> npt.NDArray[np.float64]:
        """float64[count], uniform from ``low`` to ``high``."""
        unit = (self._bits(count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
        return np.asarray(low + (high - low) * unit, np.float64)

    def _bits(self, count: int) -> bits.Bits:
        self._used += count
        return bits.draws(self._state, self._used - count, count)


class PlainTask(ABC):
    """A task of plain values, with candidate files in the folder ``baselines`` beside the subclass's module.

    The score is the percentage above the reference when minimising, and of the reference when maximising."""

    name: str
    summary: str
    direction: Direction
    unit: str
    version: str
    """Raise it whenever an instance, a measure or a reference could change."""
    interface: Interface
    seeds: tuple[str, ...]
    sizes: Mapping[Split, tuple[int, int]]
    """How many instances a split has (``gate``: each block) and how large they are."""
    groups: tuple[str, ...] = ("all",)
    """The classes of instances; they alternate."""
    reference_kind: ReferenceKind = "bound"
    options: tuple[Option, ...] = ()
    measured: bool = False
    mean: Mean = "arithmetic"
    """``"geometric"`` where scores are ratios, each above 0: an answer of 0 % is then for ``measure`` to refuse."""
    gate_blocks: int = 8
    limit: float = 0.25
    """Processor time of one call, seconds."""
    memory: int = 256 * 2**20
    adapter: Path = Path(plain_adapter.__file__)

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings: Mapping[str, str] = bind(self.options, settings, self.name)
        if self.interface.objects:
            raise TaskError(
                f"task {self.name!r} is plain, so {self.interface.objects[0].name!r} cannot be an object; write a "
                "class of its own, with an adapter that makes its objects"
            )
        if self.interface.hooks:
            raise TaskError(
                f"task {self.name!r} is plain, so nothing would call its hook {self.interface.hooks[0].function!r}; "
                "write a class of its own, with an adapter that does"
            )
        self._sets: dict[str, InstanceSet] = {}

    @abstractmethod
    def draw(self, draw: Draw, group: str, size: int) -> tuple[Any, ...]:
        """The arguments of one instance, in the interface's order."""

    @abstractmethod
    def measure(self, *values: Any, **named: Any) -> float:
        """The objective of an answer, given the arguments and the answer, whose form was checked before.

        Raises InvalidAnswer with a reason that helps whoever proposed it."""

    @abstractmethod
    def reference(self, *arguments: Any, **named: Any) -> float:
        """The objective that answers are compared with; ``reference_kind`` says what it is."""

    def baselines(self) -> Mapping[str, Baseline]:
        return shipped.candidates(Path(inspect.getfile(type(self))).parent / "baselines")

    def shipped_scores(self) -> Mapping[str, ShippedScore]:
        return {}

    def instances(self, split: Split) -> InstanceSet:
        if split not in self.sizes:
            raise TaskError(f"task {self.name!r} has no split {split!r}; expected {', '.join(self.sizes)}")
        return self._drawn(split, split)

    def gate(self, block: int) -> InstanceSet:
        if not 0 <= block < self.gate_blocks:
            most = self.gate_blocks - 1
            raise TaskError(f"task {self.name!r} has no gate block {block}; expected 0 to {most}")
        return self._drawn(f"gate-{block}", "gate")

    def read(self, path: Path) -> InstanceSet:
        """JSON Lines: an object with the interface's arguments, and optionally ``id`` and ``class``."""
        return lines.collect(path, self._read(path), MOST_INSTANCES, self._expected)

    def judge(self, instance: Instance, answer: bytes) -> Judgement:
        """Check form and ranges, measure, compare. Raises InvalidAnswer and ImpossibleAnswer."""
        arguments, (dtype, length) = plain_adapter.unpack(instance.payload)
        if len(answer) != instance.answer_bytes:
            raise InvalidAnswer(f"the answer has {len(answer)} bytes; expected {instance.answer_bytes}")
        if dtype == "bool" and set(answer) - {0, 1}:
            raise InvalidAnswer("each byte of the answer must be 0 or 1")
        found = np.frombuffer(answer, plain_adapter.LAYOUT[dtype]).astype(dtype)
        self._check(found)
        value = float(self.measure(*arguments, found[0].item() if length is None else found))
        if not math.isfinite(value):
            raise InvalidAnswer(f"the objective of the answer is {value}")
        if instance.reference is None:
            raise ValueError(f"instance {instance.id!r} has no reference")
        return Judgement(value, self._score(value, instance.reference, instance.reference_kind))

    def figures(self, instances: Sequence[Instance], values: Sequence[float]) -> tuple[Figure, ...]:
        met = sum(not self._worse(v, i.reference or 0.0) for i, v in zip(instances, values, strict=True))
        return (Figure("share at the reference", 100.0 * met / len(instances), "%"),)

    def _drawn(self, name: str, split: Split) -> InstanceSet:
        if name not in self._sets:
            count, size = self.sizes[split]
            made = (self._draw(f"{name}-{number}", number, size) for number in range(count))
            self._sets[name] = InstanceSet(name, tuple(made))
        return self._sets[name]

    def _draw(self, id_: str, number: int, size: int) -> Instance:
        group = self.groups[number % len(self.groups)]
        arguments = self.draw(Draw(f"{self.name}/{id_}"), group, size)
        return self._instance(id_, group, size, arguments)

    def _instance(self, id_: str, group: str, size: int, arguments: Sequence[Any]) -> Instance:
        lengths: dict[str | None, int | None] = {None: None}
        columns = []
        for value, given in zip(self.interface.arguments, arguments, strict=True):
            column = np.asarray(given, plain_adapter.LAYOUT[value.dtype])
            lengths.setdefault(value.length, column.size)
            columns.append(column)
        returns = self.interface.returns
        values = (*self.interface.arguments, returns)
        header = json.dumps([(v.dtype, lengths[v.length]) for v in values]).encode()
        payload = len(header).to_bytes(4, "little") + header + b"".join(c.tobytes() for c in columns)
        return Instance(
            id=id_,
            group=group,
            size=size,
            payload=payload,
            answer_bytes=np.dtype(plain_adapter.LAYOUT[returns.dtype]).itemsize
            * (lengths[returns.length] or 1),
            limit=self.limit,
            reference=float(self.reference(*plain_adapter.unpack(payload)[0])),
            reference_kind=self.reference_kind,
        )

    def _check(self, found: npt.NDArray[Any]) -> None:
        """An answer's values against what the interface says of them."""
        value = self.interface.returns
        if value.dtype == "float64" and not np.isfinite(found).all():
            raise InvalidAnswer(f"{value.name} must be finite")
        if value.kind == "permutation" and not np.array_equal(np.sort(found), np.arange(len(found))):
            raise InvalidAnswer(f"{value.name} must hold each of 0 … {len(found) - 1} once")
        for bound, broken in ((value.low, np.less), (value.high, np.greater)):
            if bound is not None and broken(found, bound).any():
                wrong = found[broken(found, bound)][0]
                raise InvalidAnswer(f"{value.name} holds {wrong}; expected {_range(value)}")

    def _score(self, value: float, reference: float, kind: ReferenceKind) -> float:
        scale = abs(reference) or 1.0
        minimise = self.direction == "minimize"
        if kind in PROVED and self._better(value, reference):
            raise ImpossibleAnswer(f"{value:g} beats {reference:g}, which is a {kind}")
        return 100.0 * ((value - reference) if minimise else value) / scale

    def _better(self, value: float, reference: float) -> bool:
        gain = reference - value if self.direction == "minimize" else value - reference
        return gain > SLACK * max(1.0, abs(reference))

    def _worse(self, value: float, reference: float) -> bool:
        loss = value - reference if self.direction == "minimize" else reference - value
        return loss > SLACK * max(1.0, abs(reference))

    @property
    def _expected(self) -> str:
        one = {v.name: 1 if v.kind == "scalar" else [1, 2] for v in self.interface.arguments}
        return f"expected {json.dumps(one)}"

    def _read(self, path: Path) -> Iterator[tuple[lines.Line, Instance]]:
        for line, text in lines.lines(path, LONGEST_LINE, "split the file"):
            found = lines.record(line, text, self._expected, "a number")
            lengths: dict[str, int] = {}
            arguments = [_column(line, value, found, lengths) for value in self.interface.arguments]
            id_ = lines.word(line, found, "id", str(line.number))
            group = lines.word(line, found, "class", "mine")
            yield line, self._instance(id_, group, max(lengths.values(), default=1), arguments)


def _column(line: lines.Line, value: Value, found: Mapping[str, Any], lengths: dict[str, int]) -> Any:
    """The numbers of one argument in a line of the user's file."""

    def refuse(reason: str) -> NoReturn:
        line.refuse(f"{value.name!r} {reason}")

    if value.name not in found:
        refuse("is missing")
    given = found[value.name]
    if value.kind == "scalar":
        return _number(given, value, refuse)
    if not isinstance(given, list) or not given:
        refuse(f"is {lines.shown(given)}; expected a list of numbers")
    if value.length is not None and lengths.setdefault(value.length, len(given)) != len(given):
        refuse(f"has {len(given)} numbers; expected {lengths[value.length]}")
    return [_number(one, value, refuse) for one in given]


def _number(given: object, value: Value, refuse: Callable[[str], NoReturn]) -> int | float | bool:
    """One number of the value's type and range."""
    if value.dtype == "bool":
        if not isinstance(given, bool):
            refuse(f"holds {lines.shown(given)}; expected true or false")
        return given
    number = lines.integer(given) if value.dtype == "int64" else given
    if isinstance(number, bool) or not isinstance(number, int | float):
        wanted = "integers" if value.dtype == "int64" else "numbers"
        refuse(f"holds {lines.shown(given)}; expected {wanted}")
    low, high = value.low, value.high
    if not abs(number) < 2**63 or (low is not None and number < low) or (high is not None and number > high):
        refuse(f"holds {lines.shown(given)}; expected {_range(value)}")
    return number


def _range(value: Value) -> str:
    low = "" if value.low is None else f"{value.low:g}"
    high = "" if value.high is None else f"{value.high:g}"
    if low and high:
        return f"numbers from {low} to {high}"
    return f"numbers of at least {low}" if low else f"numbers of at most {high or 2**63 - 1}"
