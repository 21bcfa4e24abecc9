"""Which programs form which split: disjoint seed ranges, orders in which families and pressures alternate.

``data/manifest.json`` holds the SHA-256 of each part (a split, or a block of the gate); programs and their bounds are
made anew and must give it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from evaluators.memory.mapping.bound import lower_bound
from evaluators.memory.mapping.instances import FAMILIES, PRESSURES, SEARCHED, Spec, generate
from evaluators.memory.mapping.program import Program, encode
from evaluators.memory.mapping.referee import log_bytes
from evaluators.task import Instance, TaskError

MANIFEST = Path(__file__).parent / "data" / "manifest.json"
LOOK_BLOCKS = 8
REPORT_BLOCKS = 2
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


def all_parts() -> Iterator[str]:
    """Every part."""
    yield from ("screen", "search", "final")
    yield from (f"report-{block}" for block in range(REPORT_BLOCKS))
    yield from (f"look-{block}" for block in range(LOOK_BLOCKS))


@cache
def load(name: str) -> tuple[Instance, ...]:
    """The instances of a part. Raises TaskError when they do not give the recorded SHA-256."""
    found = _made(name)
    if digest(found) != _recorded().get(name):
        raise TaskError(
            f"the instances of {name!r} do not match their SHA-256 in {MANIFEST}: a damaged or altered installation; "
            "reinstall the package"
        )
    return found


def make(name: str) -> str:
    """The SHA-256 of a part as generated now, for the manifest."""
    return digest(_made(name))


def digest(instances: tuple[Instance, ...]) -> str:
    """SHA-256 over ids, references and payloads, in order."""
    h = hashlib.sha256()
    for i in instances:
        h.update(f"{i.id}\0{i.group}\0{i.reference!r}\0{len(i.payload)}\0".encode())
        h.update(i.payload)
    return h.hexdigest()


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


@cache
def _recorded() -> dict[str, str]:
    try:
        return dict(json.loads(MANIFEST.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise TaskError(f"the manifest {MANIFEST} cannot be read ({error}); reinstall the package") from None
