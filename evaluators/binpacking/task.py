"""The task ``online-bin-packing``: items arrive one at a time, a priority decides which bin takes each."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from evaluators.binpacking import catalogue, reader, referee, splits
from evaluators.binpacking.instances import FAMILIES
from evaluators.registry import bind
from evaluators.task import (
    Baseline,
    Direction,
    Instance,
    InstanceSet,
    Interface,
    Option,
    ShippedScore,
    Split,
    TaskError,
    Value,
)

HERE = Path(__file__).parent


class OnlineBinPacking:
    """The task bound to its options. ``families`` decides search and gate; screen and final hold both families."""

    name: str = "online-bin-packing"
    summary: str = (
        "online bin packing: each item goes into the bin with the highest priority; few bins win, "
        "scored against a lower bound"
    )
    direction: Direction = "minimize"
    unit: str = "%"
    measured: bool = False
    version: str = "1"
    interface: Interface = Interface(
        function="priority",
        summary=(
            "Return one number for each bin that can take the item; the item goes into the bin with the highest "
            "number, for good. Items arrive one at a time; all together should need few bins."
        ),
        arguments=(
            Value("item", "scalar", "int64", "size of the item that has just arrived", unit="size", low=1),
            Value(
                "bins", "array", "int64", "remaining capacity of each bin that can take the item, before it does",
                unit="size", low=1, length="n",
            ),
        ),
        returns=Value("priority", "array", "float64", "the highest takes the item", length="n"),
        facts=(
            "The array holds the open bins in which the item fits, oldest first, and last a new empty bin: bins[-1] "
            "is the capacity of a bin, and no entry is larger.",
            "bins - item is what would remain in each bin; ties go to the first bin. The numbers must be finite.",
            "Best fit is item - bins: it fills bins well at once but leaves many small gaps that no later item fits.",
            "The score of an instance is 100 * (bins used - lower bound) / lower bound, in percent.",
            "Sizes are 1 to 100 around 40 with capacity 100 (weibull), or uniform on 20 to 100 with capacity 150 (or).",
        ),
    )  # fmt: skip
    seeds: tuple[str, ...] = ("best-fit", "gap-avoiding")
    options: tuple[Option, ...] = (
        Option("families", "weibull", "instance families of search and gate", choices=FAMILIES, many=True),
    )
    adapter: Path = HERE / "adapter.py"
    memory: int = 128 * 2**20
    gate_blocks: int = splits.LOOK_BLOCKS

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings: Mapping[str, str] = bind(self.options, settings, self.name)

    @property
    def families(self) -> tuple[str, ...]:
        return tuple(self.settings["families"].split(","))

    def baselines(self) -> Mapping[str, Baseline]:
        return catalogue.baselines()

    def shipped_scores(self) -> Mapping[str, ShippedScore]:
        return catalogue.shipped_scores(self.name, self.version, self.settings)

    def instances(self, split: Split) -> InstanceSet:
        """Instances in fixed order; ``gate`` gives the report blocks. Raises TaskError when the data is damaged."""
        if split == "screen":
            return _assemble("screen", (tuple(f"screen-{f}" for f in FAMILIES),))
        if split == "search":
            return _assemble("search", (tuple(f"search-{f}" for f in self.families),))
        if split == "gate":
            blocks = range(splits.REPORT_BLOCKS)
            return _assemble("gate", tuple(tuple(f"report-{f}-{b}" for f in self.families) for b in blocks))
        if split == "final":
            return _assemble("final", tuple((f"final-{f}",) for f in FAMILIES))
        raise TaskError(f"task {self.name!r} has no split {split!r}; expected screen, search, gate or final")

    def gate(self, block: int) -> InstanceSet:
        if not 0 <= block < self.gate_blocks:
            raise TaskError(
                f"task {self.name!r} has no gate block {block}; expected 0 to {self.gate_blocks - 1}"
            )
        return _assemble(f"gate-{block}", (tuple(f"look-{f}-{block}" for f in self.families),))

    def read(self, path: Path) -> InstanceSet:
        """The user's own instances: JSON Lines or the OR-Library's format."""
        return reader.read(path)

    judge = staticmethod(referee.judge)
    figures = staticmethod(referee.figures)


@cache
def _assemble(name: str, groups: tuple[tuple[str, ...], ...]) -> InstanceSet:
    """Parts of one group alternate instance by instance; the groups follow one another."""
    found: list[Instance] = []
    for parts in groups:
        for row in zip(*(splits.load(part) for part in parts), strict=True):
            found.extend(row)
    return InstanceSet(name, tuple(found))
