"""The task ``tsp-construct``: a tour in the plane, built city by city by one number for each unvisited city."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

from evaluators.registry import bind
from evaluators.task import (
    Baseline,
    Direction,
    InstanceSet,
    Interface,
    Option,
    ShippedScore,
    Split,
    TaskError,
    Value,
)
from evaluators.tsp import catalogue, reader, referee, splits

HERE = Path(__file__).parent


def _view(name: str, description: str, low: float | None = 0.0) -> Value:
    return Value(name, "array", "float64", description, unit="distance", low=low, high=1.5, length="n")


class TspConstruct:
    """The task; it has no options."""

    name: str = "tsp-construct"
    summary: str = (
        "step-by-step tour construction in the plane: the unvisited city with the lowest number goes next, "
        "scored against the best tours known"
    )
    direction: Direction = "minimize"
    unit: str = "%"
    measured: bool = False
    version: str = "1"
    interface: Interface = Interface(
        function="next_city",
        summary=(
            "Return one number for each unvisited city; the salesman goes to the city with the lowest number, then "
            "asks again, and at the end returns to the start. The closed tour should be short."
        ),
        arguments=(
            _view("distances", "from the current city to each unvisited city"),
            _view("start_distances", "from the start, to which the tour returns, to each unvisited city"),
            _view("mean_distances", "mean distance from each unvisited city to the other unvisited ones"),
            _view("nearest_distances", "from each unvisited city to its nearest other unvisited one"),
            _view("dx", "abscissa of each unvisited city less that of the current city", low=-1.5),
            _view("dy", "ordinate of each unvisited city less that of the current city", low=-1.5),
        ),
        returns=Value("key", "array", "float64", "the lowest goes next", length="n"),
        facts=(
            "The map is scaled so that the longer side of its bounding box is 1. Ties go to the first city.",
            "len(distances) is the number of unvisited cities, at least 2; it shrinks by one from call to call.",
            "The score of an instance is 100 * (L - L_best) / L_best, in percent; optimal tours of n uniform cities "
            "are about 0.7124 * sqrt(n) * (1 + 0.33 / n) long.",
            "Nearest neighbour (distances itself) leaves cities behind and pays for them at the end: 20 to 25 percent.",
        ),
    )
    seeds: tuple[str, ...] = ("nearest-neighbour",)
    options: tuple[Option, ...] = ()
    adapter: Path = HERE / "adapter.py"
    memory: int = 256 * 2**20
    gate_blocks: int = splits.LOOK_BLOCKS

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings: Mapping[str, str] = bind(self.options, settings, self.name)

    def baselines(self) -> Mapping[str, Baseline]:
        return catalogue.baselines()

    def shipped_scores(self) -> Mapping[str, ShippedScore]:
        return catalogue.shipped_scores(self.name, self.version, self.settings)

    def instances(self, split: Split) -> InstanceSet:
        """Instances in fixed order; ``gate`` gives the report blocks. Raises TaskError when the data is damaged."""
        if split == "gate":
            return _assemble("gate", tuple(f"report-{block}" for block in range(splits.REPORT_BLOCKS)))
        if split in ("screen", "search", "final"):
            return _assemble(split, (split,))
        raise TaskError(f"task {self.name!r} has no split {split!r}; expected screen, search, gate or final")

    def gate(self, block: int) -> InstanceSet:
        if not 0 <= block < self.gate_blocks:
            raise TaskError(
                f"task {self.name!r} has no gate block {block}; expected 0 to {self.gate_blocks - 1}"
            )
        return _assemble(f"gate-{block}", (f"look-{block}",))

    def read(self, path: Path) -> InstanceSet:
        """The user's own instances: JSON Lines or one TSPLIB file."""
        return reader.read(path)

    judge = staticmethod(referee.judge)
    figures = staticmethod(referee.figures)


@cache
def _assemble(name: str, parts: tuple[str, ...]) -> InstanceSet:
    return InstanceSet(name, tuple(i for part in parts for i in splits.load(part)))
