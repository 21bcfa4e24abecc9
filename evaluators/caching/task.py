"""The task ``cache-eviction``: at each miss of a full cache a policy says which page has to go."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from evaluators.caching import catalogue, reader, referee, splits
from evaluators.caching.problem import DECISION_SECONDS, MAX_CAPACITY
from evaluators.caching.simulator import simulate
from evaluators.registry import bind
from evaluators.splits import Splits
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

HERE = Path(__file__).parent


def _slots(name: str, description: str, unit: str) -> Value:
    return Value(name, "array", "int64", description, unit=unit, low=1, length="n")


INTERFACE = Interface(
    function="evict",
    summary=(
        "A cache is full and a page that it does not hold is requested. Return one number for each page in the cache; "
        "the page with the highest number is evicted. Few misses win."
    ),
    arguments=(
        _slots("idle", "requests since the last use of each page", "requests"),
        _slots("age", "requests since each page was fetched", "requests"),
        _slots("uses", "uses of each page since it was fetched, that one included", "uses"),
        _slots("gap", "requests between the last two uses of each page, also across evictions", "requests"),
        _slots("total", "uses of each page since the trace began, also before evictions", "uses"),
        Value(
            "absence", "scalar", "int64", "requests since the last use of the page that is requested",
            unit="requests", low=1,
        ),
        Value("known", "scalar", "int64", "earlier uses of the page that is requested", unit="uses", low=0),
        Value("time", "scalar", "int64", "requests since the trace began", unit="requests", low=1),
    ),
    returns=Value("priority", "array", "float64", "the highest is evicted", length="n"),
    facts=(
        "Slots keep their places; a page that is fetched takes the slot of the one that is evicted.",
        "Of equal numbers the page with the largest idle is evicted. The numbers must be finite.",
        "LRU is idle, FIFO is age, LFU is -total or -uses, LRU-2 is idle + gap.",
        "The gap of a page that was used once is counted from just before the trace began, and so is absence.",
        "The arrays are read-only: compute new ones.",
        "The module is loaded anew for each trace, so that what it keeps in globals is what it has seen of that trace.",
        "The score of a trace is 100 * (misses - least) / (requests - least); least is what knowing the future needs.",
        "Traces: skewed popularity, scans, loops larger than the cache, phases, stack distances, two pools.",
    ),
)  # fmt: skip


class CacheEviction:
    """The task bound to its options: a policy task (:class:`evaluators.policy.PolicyTask`)."""

    name: str = "cache-eviction"
    summary: str = (
        "cache replacement: which page to evict at a miss; few misses win, scored against Belady's optimum that knows "
        "the future"
    )
    direction: Direction = "minimize"
    unit: str = "%"
    measured: bool = False
    version: str = "1"
    interface: Interface = INTERFACE
    seeds: tuple[str, ...] = ("lru", "lru-2")
    options: tuple[Option, ...] = (
        Option("capacity", "16", f"pages in the cache for your own traces, 1 to {MAX_CAPACITY}"),
    )
    adapter: Path = HERE / "simulator.py"
    memory: int = 128 * 2**20
    decision_limit: float = DECISION_SECONDS
    splits: Splits = splits.SPLITS
    gate_blocks: int = splits.looks

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings: Mapping[str, str] = bind(self.options, settings, self.name)
        given = self.settings["capacity"]
        if not given.isascii() or not given.isdecimal() or not 1 <= int(given[:9]) <= MAX_CAPACITY:
            raise TaskError(
                f"option capacity={given!r} of task {self.name!r} is not a whole number from 1 to {MAX_CAPACITY}"
            )
        self._capacity = int(given)

    def baselines(self) -> Mapping[str, Baseline]:
        return catalogue.baselines()

    def shipped_scores(self) -> Mapping[str, ShippedScore]:
        """The capacity of the user's own traces changes none of them."""
        return catalogue.shipped_scores(self.version, {o.name: o.default for o in self.options})

    def instances(self, split: Split) -> InstanceSet:
        """Instances in fixed order; ``gate`` gives the report blocks. Raises TaskError when the data is damaged."""
        return self.splits.instances(split)

    def gate(self, block: int) -> InstanceSet:
        return self.splits.gate(block)

    def read(self, path: Path) -> InstanceSet:
        """The user's own traces for a cache of the option's capacity."""
        return reader.read(path, self._capacity)

    simulate = staticmethod(simulate)
    judge = staticmethod(referee.judge)
    figures = staticmethod(referee.figures)
