"""The task ``memory-alloc``: give each buffer of a program an address so that little memory is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from evaluators.memory import reader
from evaluators.memory.alloc import catalogue, exact, referee, splits
from evaluators.memory.alloc.pictures import pictures as tiles
from evaluators.registry import bind
from evaluators.splits import Splits
from evaluators.task import (
    Baseline,
    Direction,
    InstanceSet,
    Interface,
    Option,
    Proof,
    ShippedScore,
    Split,
    Value,
)

HERE = Path(__file__).parent


def _each(name: str, description: str, high: float | None = None, low: float | None = 0.0) -> Value:
    return Value(name, "array", "float64", description, low=low, high=high, length="n")


def _one(name: str, description: str, high: float | None = None) -> Value:
    return Value(name, "scalar", "float64", description, low=0.0, high=high)


GAP = Interface(
    function="gap",
    summary="Return which gap a buffer goes into, among those between the buffers placed before it that hold it.",
    arguments=(
        Value("offsets", "array", "float64", "where each gap begins, rising", low=0.0, length="k"),
        Value(
            "rooms", "array", "float64", "height of each gap; of the last one, which is open, the sum of all sizes",
            low=0.0, length="k",
        ),
        _one("size", "height of the buffer, at most that of any gap", 1.0),
        _one("lower", "when the buffer's life begins", 1.0),
        _one("length", "how long the buffer lives", 1.0),
    ),
    returns=Value("position", "scalar", "int64", "position of the gap in offsets, from 0", low=0),
    facts=("The buffer lies at the bottom of the gap. Where there is one gap only nobody is asked.",),
    absent="the lowest gap is taken (first fit).",
)  # fmt: skip

INTERFACE = Interface(
    function="order",
    summary=(
        "Return one key for each buffer; buffers are placed in the order of their keys, the lowest first, each in a "
        "gap between those placed before that are alive at the same time. The highest end should be low."
    ),
    arguments=(
        _each("lower", "when each buffer's life begins", 1.0),
        _each("length", "how long each buffer lives", 1.0),
        _each("size", "height of each buffer in memory", 1.0),
        _each("pressure", "the most that is alive at once at some time of each buffer's life, itself included", 1.0),
        _each("crowd", "sum of the sizes of all other buffers that share a part of each buffer's life"),
        _each("keys", "what was returned in the round before; 0 in the first", low=None),
        _each("tops", "where each buffer ended in the round before; 0 in the first"),
        _each("excess", "how far each buffer ended above 1, summed over the rounds so far"),
        _each("best_keys", "what was returned in the best round so far; 0 in the first", low=None),
        _one("height", "the highest end in the best round so far; 0 in the first, then at least 1"),
        Value("passes", "scalar", "int64", "how many rounds there were", low=0),
    ),
    returns=Value("key", "array", "float64", "the lowest is placed first", length="n"),
    facts=(
        "Memory is in shares of the lower bound, the most that is alive at one time: a height of 1 is ideal. Time is "
        "in shares of the whole, from 0 to 1.",
        "Ties go to the larger buffer, then to the first.",
        "The function is called round after round, and the best round counts: until it orders the buffers as in the "
        "round before, until the height is 1, or until 20,000 buffers were placed (200 rounds of 100 buffers).",
        "So a rule that looks at lives and sizes alone has one round; one that looks at tops, excess or keys is "
        "a search, such as placing those earlier that ended high (squeaky wheel).",
        "The score of an instance is 100 * (height - 1), in percent; a height of 1 is possible on the shipped ones.",
        "Largest size first needs 25 to 30 percent more than the least.",
    ),
    hooks=(GAP,),
)  # fmt: skip


class MemoryAlloc:
    """The task; it has no options."""

    name: str = "memory-alloc"
    summary: str = (
        "static memory allocation: an offset for every buffer with a known lifetime so that the peak is low, scored "
        "against planted optima"
    )
    direction: Direction = "minimize"
    unit: str = "%"
    measured: bool = False
    version: str = "1"
    interface: Interface = INTERFACE
    seeds: tuple[str, ...] = ("first-fit-size",)
    options: tuple[Option, ...] = ()
    adapter: Path = HERE / "adapter.py"
    memory: int = 512 * 2**20
    splits: Splits = splits.SPLITS
    gate_blocks: int = splits.looks
    solvers: tuple[str, ...] = exact.SOLVERS

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings: Mapping[str, str] = bind(self.options, settings, self.name)

    def baselines(self) -> Mapping[str, Baseline]:
        return catalogue.baselines()

    def shipped_scores(self) -> Mapping[str, ShippedScore]:
        return catalogue.shipped_scores(self.version, self.settings)

    def instances(self, split: Split) -> InstanceSet:
        """Instances in fixed order; ``gate`` gives the report blocks. Raises TaskError when the data is damaged."""
        return self.splits.instances(split)

    def gate(self, block: int) -> InstanceSet:
        return self.splits.gate(block)

    def read(self, path: Path) -> InstanceSet:
        """The buffers of a CSV file: one instance, named like the file. Its reference is the lower bound."""
        name, buffers = reader.read(path)
        return InstanceSet(path.name, (splits.instance(name, "mine", buffers, buffers.bound, "bound"),))

    judge = staticmethod(referee.judge)
    figures = staticmethod(referee.figures)
    pictures = staticmethod(tiles)

    def prove(self, instances: InstanceSet, solver: str, seconds: float) -> Iterator[Proof]:
        """One proof an instance, in order. Raises TaskError for an unknown solver or without the extra ``cpsat``."""
        return exact.prove(instances, solver, seconds)
