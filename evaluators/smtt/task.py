"""The task ``smtt``: sequence jobs on one machine so that their total tardiness is least."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from evaluators.registry import bind
from evaluators.smtt import catalogue, proving, reader, referee, references, splits
from evaluators.smtt.hosts import HOSTS
from evaluators.smtt.instances import FAMILIES
from evaluators.smtt.pictures import grid
from evaluators.smtt.pictures import pictures as gantt
from evaluators.smtt.problem import limit
from evaluators.task import (
    Baseline,
    Direction,
    HostAdapter,
    Instance,
    InstanceSet,
    Interface,
    Option,
    Proof,
    ShippedScore,
    Split,
    TaskError,
    Value,
)

HERE = Path(__file__).parent

FACTS = (
    "Job j that completes at C_j has tardiness max(0, C_j - d_j); the objective is the sum over all jobs.",
    "All jobs are available at time 0; the machine works from time 0 without idling, one job at a time.",
    "The score of an instance is 100 * (T - T_best) / max(T_best, sum of processing times), in percent.",
    "EDD (by due date) is optimal if at most one job is late; SPT (shortest first) if every job is late in any order.",
    "MDD takes the job with the least max(due date, time + processing time).",
)

PROCESSING_TIMES = Value(
    "processing_times", "array", "int64", "processing time of each job", unit="time", low=1, length="n"
)
DUE_DATES = Value("due_dates", "array", "int64", "due date of each job", unit="time", low=0, length="n")


class Smtt:
    """The task bound to its options. The ``families`` option widens search and gate; screen and final are fixed."""

    name: str = "smtt"
    summary: str = "single-machine total tardiness: a full sequence of n jobs, scored against proved optima"
    direction: Direction = "minimize"
    unit: str = "%"
    measured: bool = False
    version: str = "1"
    interface: Interface = Interface(
        function="schedule",
        summary="Return the order in which one machine processes the jobs, so that their total tardiness is least.",
        arguments=(PROCESSING_TIMES, DUE_DATES),
        returns=Value(
            "sequence", "permutation", "int64", "job indices in processing order", low=0, length="n"
        ),
        facts=FACTS,
    )
    seeds: tuple[str, ...] = ("edd", "mdd")
    options: tuple[Option, ...] = (
        Option("families", "pvw", "instance families of search and gate", choices=FAMILIES, many=True),
    )
    adapter: Path = HERE / "adapter.py"
    memory: int = 256 * 2**20
    gate_blocks: int = splits.LOOK_BLOCKS
    solvers: tuple[str, ...] = proving.SOLVERS
    hosts: tuple[HostAdapter, ...] = HOSTS

    def __init__(self, settings: Mapping[str, str]) -> None:
        self.settings: Mapping[str, str] = bind(self.options, settings, self.name)

    @property
    def families(self) -> tuple[str, ...]:
        return tuple(self.settings["families"].split(","))

    def baselines(self) -> Mapping[str, Baseline]:
        return catalogue.baselines(self.name)

    def shipped_scores(self) -> Mapping[str, ShippedScore]:
        return catalogue.shipped_scores(self.name, self.version, self.settings)

    def instances(self, split: Split) -> InstanceSet:
        """Instances in fixed order; ``gate`` gives the report blocks. Raises TaskError when the data is damaged."""
        if split == "screen":
            return _assemble("screen", (("screen",),))
        if split == "search":
            return _assemble("search", splits.search_parts(self.families))
        if split == "gate":
            return _assemble("gate", splits.report_parts(self.families))
        if split == "final":
            return _assemble("final", (("final",),))
        raise TaskError(f"task {self.name!r} has no split {split!r}; expected screen, search, gate or final")

    def gate(self, block: int) -> InstanceSet:
        if not 0 <= block < self.gate_blocks:
            raise TaskError(
                f"task {self.name!r} has no gate block {block}; expected 0 to {self.gate_blocks - 1}"
            )
        return _assemble(f"gate-{block}", splits.look_parts(self.families, block))

    def read(self, path: Path) -> InstanceSet:
        return reader.read(path)

    judge = staticmethod(referee.judge)
    figures = staticmethod(referee.figures)
    descriptors = staticmethod(referee.descriptors)
    pictures = staticmethod(gantt)
    grid = staticmethod(grid)

    def prove(self, instances: InstanceSet, solver: str, seconds: float) -> Iterator[Proof]:
        """One proof an instance, in order. Raises TaskError for an unknown solver."""
        return proving.prove(instances, solver, seconds)


@cache
def _assemble(name: str, groups: tuple[tuple[str, ...], ...]) -> InstanceSet:
    """Parts of one group alternate instance by instance; the groups follow one another."""
    found: list[Instance] = []
    for parts in groups:
        for row in zip(*(references.load(part) for part in parts), strict=True):
            found.extend(
                Instance(
                    id=item.spec.id,
                    group=item.spec.group,
                    size=item.spec.n,
                    payload=item.payload,
                    answer_bytes=8 * item.spec.n,
                    limit=limit(item.spec.n),
                    reference=float(item.optimum),
                    reference_kind="proved optimum",
                )
                for item in row
            )
    return InstanceSet(name, tuple(found))
