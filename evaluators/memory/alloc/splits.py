"""Which instances form which split: disjoint seed ranges, orders in which families alternate."""

from __future__ import annotations

from pathlib import Path

from evaluators.memory.alloc.instances import CAPACITY, FAMILIES, SEARCHED, Spec, generate
from evaluators.memory.buffers import Buffers, encode
from evaluators.splits import Splits
from evaluators.task import Instance, ReferenceKind

TINY = tuple(Spec(family, 5, seed) for seed, family in enumerate(("mixed", "tiles", "slivers", "powers")))
"""The first ones of the screen: a package shows calls as small as these."""
SIZES = {
    "screen": (45,),
    "search": (60, 90, 120, 150),
    "gate": (150, 220, 300),
    "final": (250, 320, 380, 450),
}
"""Buffers of the instances of each family."""
SEEDS = {"screen": 1, "search": 1_000, "look": 10_000, "report": 20_000, "final": 100_000}
BLOCK_SEEDS = 100
LIMITS = ((1_000, 10.0), (10_000, 60.0), (100_000, 600.0))


def part(name: str) -> tuple[Spec, ...]:
    """The instances of ``screen``, ``search``, ``look-BLOCK``, ``report-BLOCK`` or ``final``, in order."""
    kind, _, block = name.partition("-")
    first = SEEDS[kind] + BLOCK_SEEDS * int(block or 0)
    families = tuple(FAMILIES) if kind == "final" else SEARCHED
    sizes = SIZES["gate" if block else kind]
    found = tuple(Spec(family, n, first + k) for k, n in enumerate(sizes) for family in families)
    return TINY + found if kind == "screen" else found


def instance(id_: str, group: str, buffers: Buffers, reference: int, kind: ReferenceKind) -> Instance:
    """An instance with its reference, in bytes. A call has so much time that rules which look at every pair of
    buffers in each round end well before."""
    n = len(buffers)
    return Instance(
        id=id_,
        group=group,
        size=n,
        payload=encode(buffers),
        answer_bytes=8 * n,
        limit=next(seconds for most, seconds in LIMITS if n <= most),
        reference=float(reference),
        reference_kind=kind,
    )


def _made(name: str) -> tuple[Instance, ...]:
    return tuple(instance(s.id, s.family, generate(s), CAPACITY, "proved optimum") for s in part(name))


SPLITS = Splits("memory-alloc", Path(__file__).parent / "data" / "manifest.json", _made)
