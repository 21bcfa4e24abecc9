"""Which programs form which split: disjoint seed ranges, orders in which families and pressures alternate."""

from __future__ import annotations

from pathlib import Path

from evaluators.memory.mapping.bound import lower_bound
from evaluators.memory.mapping.instances import FAMILIES, PRESSURES, SEARCHED, Spec, generate
from evaluators.memory.mapping.program import Program, encode
from evaluators.memory.mapping.referee import log_bytes
from evaluators.splits import Splits
from evaluators.task import Instance

DECISION_SECONDS = 0.002
"""Processor time of a decision, s: some fifty times that of a rule in numpy."""
OPS = {"screen": (20, 40), "search": (60, 90, 120), "gate": (120, 160, 200), "final": (140, 220, 300)}
COUNTS = {"screen": 1, "search": 6, "gate": 5, "final": 4}
"""Programs of each family and pressure."""
SEEDS = {"screen": 1, "search": 1_000, "look": 10_000, "report": 20_000, "final": 100_000}
BLOCK_SEEDS = 100


def part(name: str) -> tuple[Spec, ...]:
    """The programs of ``screen``, ``search``, ``look-BLOCK``, ``report-BLOCK`` or ``final``, in order."""
    kind, _, block = name.partition("-")
    ops = OPS["gate" if block else kind]
    first = SEEDS[kind] + BLOCK_SEEDS * int(block or 0)
    families = tuple(FAMILIES) if kind == "final" else SEARCHED
    return tuple(
        Spec(family, pressure, ops[k % len(ops)], first + k)
        for k in range(COUNTS["gate" if block else kind])
        for pressure in PRESSURES
        for family in families
    )


def instance(id_: str, group: str, program: Program) -> Instance:
    """An instance with the lower bound of its run time."""
    return Instance(
        id=id_,
        group=group,
        size=len(program.compute),
        payload=encode(program),
        answer_bytes=log_bytes(program),
        limit=DECISION_SECONDS * max(1, len(program.segments)),
        reference=float(lower_bound(program)),
        reference_kind="bound",
    )


def _made(name: str) -> tuple[Instance, ...]:
    return tuple(instance(spec.id, spec.group, generate(spec)) for spec in part(name))


SPLITS = Splits("memory-map", Path(__file__).parent / "data" / "manifest.json", _made)
