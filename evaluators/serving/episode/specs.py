"""The name of an instance, from which it is made anew, and which of them form a part of a split."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

SEEDS = {"screen": 1, "search": 1_000, "look": 10_000, "report": 20_000, "final": 100_000}
BLOCK_SEEDS = 100
"""Instances of a part have seeds from here on, those of each block of the gate so many further: the ranges are
disjoint."""
Cell = tuple[str, str, int]
"""(workload, engines, load)"""


@dataclass(frozen=True)
class Spec:
    """Names one instance: ``calls`` of a workload on an engine or a cluster, at ``load`` per cent of saturation."""

    workload: str
    engine: str
    load: int
    calls: int
    seed: int

    @property
    def id(self) -> str:
        return f"{self.workload}-{self.engine}-{self.load}-n{self.calls}-s{self.seed}"

    @property
    def group(self) -> str:
        return f"{self.workload} {self.load} %"


def numbered(name: str, cells: Callable[[str], Sequence[Cell]], calls: Mapping[str, int]) -> tuple[Spec, ...]:
    """The instances of the part ``name`` of a split (:class:`~evaluators.splits.Splits`), in order.
    ``cells`` and ``calls`` say of ``screen``, ``search``, ``gate`` and ``final`` what is in it."""
    kind, _, block = name.partition("-")
    key = "gate" if block else kind
    first = SEEDS[kind] + BLOCK_SEEDS * int(block or 0)
    return tuple(Spec(*cell, calls[key], first + number) for number, cell in enumerate(cells(key)))
