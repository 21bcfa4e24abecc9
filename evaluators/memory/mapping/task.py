"""The task ``memory-map``: which buffers of a compiled program wait in fast memory, and when they are copied there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from evaluators.memory.mapping import (
    catalogue,
    mcts,
    pictures,
    proving,
    reader,
    referee,
    repacking,
    splits,
)
from evaluators.memory.mapping.game import WINDOWS
from evaluators.memory.mapping.program import MAX_BANDWIDTH, MAX_BYTES, Machine, decode
from evaluators.memory.mapping.simulator import logged, simulate
from evaluators.pictures import Picture
from evaluators.registry import bind
from evaluators.splits import Splits
from evaluators.task import (
    Baseline,
    Direction,
    Instance,
    InstanceSet,
    Interface,
    Judgement,
    Option,
    Proof,
    ShippedScore,
    Split,
    TaskError,
    Value,
)

HERE = Path(__file__).parent


def _each(name: str, description: str, unit: str, low: float | None = 0) -> Value:
    return Value(name, "array", "float64", description, unit=unit, low=low, length="n")


def _one(name: str, description: str, unit: str, low: float | None = 0) -> Value:
    return Value(name, "scalar", "float64", description, unit=unit, low=low)


INTERFACE = Interface(
    function="place",
    summary=(
        "A program of tensor operations runs on a machine with a small fast memory and a large slow one. For the next "
        "use of a buffer, return one number for each possible action: leave it in slow memory, keep it in fast memory "
        "since the access before, or copy it there some operations ahead. The highest is taken. A short run time wins."
    ),
    arguments=(
        _each(
            "saved", "run time saved by each action in place of the first, if all later segments stay in slow memory",
            "ns", None,
        ),
        _each("stall", "how long the operation would wait for its copies", "ns"),
        _each("held", "for how long fast memory is held; 0 for the first", "ns"),
        Value(
            "ahead", "array", "int64", "operations for which fast memory is held; 0 for the first",
            unit="operations", low=0, length="n",
        ),
        _each("room", "free bytes while it is held, where it is fullest, before the action", "bytes"),
        _each("spare", "bytes that are left of the hole that it goes into; 0 for the first", "bytes"),
        Value("copied", "mask", "bool", "whether the copy engine fetches it", length="n"),
        _one("size", "size of the buffer", "bytes", 1),
        _one("fetch", "time of a copy of it", "ns", 1),
        _one(
            "excess", "by how much the slow traffic of the operation takes longer than all else it does, as it stands",
            "ns", None,
        ),
        _one(
            "crowd", "bytes that want fast memory during this use, are decided later and save more per byte",
            "bytes",
        ),
        Value("later", "scalar", "int64", "uses of the buffer after this one", unit="uses", low=0),
        Value(
            "distance", "scalar", "int64", "operations from this use to the next one; 0 if there is none",
            unit="operations", low=0,
        ),
        Value(
            "unwritten", "scalar", "int64",
            "1 if slow memory lacks the buffer so far: it has to be written there unless it is kept to its last use",
            low=0, high=1,
        ),
        _one("capacity", "size of the fast memory", "bytes", 1),
    ),
    returns=Value("worth", "array", "float64", "the highest is taken", length="n"),
    facts=(
        "Only possible actions are listed: slow memory first, then keeping if there is room, then copies that begin "
        f"{', '.join(map(str, WINDOWS))} operations ahead, as far as there is room.",
        "The first of equal numbers is taken, so zeros leave everything in slow memory. The numbers must be finite.",
        "An operation takes the largest of its computing time, its slow bytes / slow bandwidth and its fast bytes / "
        "fast bandwidth; it begins when the one before has ended and its copies are there.",
        "Segments, from one access of a buffer to its next use, are decided in the order of these uses.",
        "One engine makes all copies, one after another; a copy may begin when the operation so far ahead begins.",
        "saved is exact if all that comes later stays in slow memory, writing back what is kept unwritten included; "
        "the room that later segments lose is not in it.",
        "held * size / capacity is what an action costs in time of the whole memory.",
        "The score of a program is 100 * (run time - bound) / (all slow - bound), in percent.",
        "The arrays are read-only. The module is loaded anew for each program, so that it may keep things in globals.",
        "Programs: convolutions with skips, transformers, training steps, and batches that use the same weights again.",
    ),
)  # fmt: skip


class MemoryMap:
    """The task bound to its options: a policy task (:class:`evaluators.policy.PolicyTask`)."""

    name: str = "memory-map"
    summary: str = (
        "memory mapping of a compiled program: which buffers wait in fast memory and when they are copied there; "
        "short run times win, scored against a lower bound"
    )
    direction: Direction = "minimize"
    unit: str = "%"
    measured: bool = False
    version: str = "1"
    interface: Interface = INTERFACE
    seeds: tuple[str, ...] = ("most-saved", "xla-like")
    options: tuple[Option, ...] = (
        Option("capacity", "1048576", f"your own programs: bytes of fast memory, 1 to {MAX_BYTES}"),
        Option("slow", "100", f"your own programs: bandwidth of slow memory, GB/s, 1 to {MAX_BANDWIDTH}"),
        Option("fast", "1000", f"your own programs: bandwidth of fast memory, GB/s, 1 to {MAX_BANDWIDTH}"),
        Option("copy", "50", f"your own programs: bandwidth of the copy engine, GB/s, 1 to {MAX_BANDWIDTH}"),
    )
    adapter: Path = HERE / "simulator.py"
    memory: int = 128 * 2**20
    decision_limit: float = splits.DECISION_SECONDS
    splits: Splits = splits.SPLITS
    gate_blocks: int = splits.looks
    solvers: tuple[str, ...] = proving.SOLVERS

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings: Mapping[str, str] = bind(self.options, settings, self.name)
        self._machine = Machine(
            self._whole("capacity", MAX_BYTES),
            *(self._whole(name, MAX_BANDWIDTH) for name in ("slow", "fast", "copy")),
        )

    def _whole(self, name: str, most: int) -> int:
        given = self.settings[name]
        if not given.isascii() or not given.isdecimal() or len(given) > 20 or not 1 <= int(given) <= most:
            raise TaskError(
                f"option {name}={given!r} of task {self.name!r} is not a whole number from 1 to {most}"
            )
        return int(given)

    def baselines(self) -> Mapping[str, Baseline]:
        return catalogue.baselines()

    def shipped_scores(self) -> Mapping[str, ShippedScore]:
        """The machine of the user's own programs changes none of them."""
        return catalogue.shipped_scores(self.version, {o.name: o.default for o in self.options})

    def instances(self, split: Split) -> InstanceSet:
        """Instances in fixed order; ``gate`` gives the report blocks. Raises TaskError when the data is damaged."""
        return self.splits.instances(split)

    def gate(self, block: int) -> InstanceSet:
        return self.splits.gate(block)

    def read(self, path: Path) -> InstanceSet:
        """The user's own programs; a machine that a program does not tell is that of the options."""
        return reader.read(path, self._machine)

    def prove(self, instances: InstanceSet, solver: str, seconds: float) -> Iterator[Proof]:
        """See :mod:`evaluators.memory.mapping.proving`."""
        return proving.prove(instances, solver, seconds)

    def policy(self, name: str, instance: Instance) -> Judgement:
        """What a reference policy makes of a program, a second or two for the tree search."""
        plays = {"mcts": mcts.play, "repacking": repacking.play}
        if name not in plays:
            raise TaskError(f"task {self.name!r} has no reference policy {name!r}; it has {', '.join(plays)}")
        return referee.judge(instance, logged(plays[name](decode(instance.payload))))

    def pictures(self, instance: Instance, answer: bytes) -> tuple[Picture, ...]:
        """The fast memory over time."""
        return pictures.pictures(instance, answer)

    simulate = staticmethod(simulate)
    judge = staticmethod(referee.judge)
    figures = staticmethod(referee.figures)
    replayed_figures = staticmethod(referee.replayed_figures)
