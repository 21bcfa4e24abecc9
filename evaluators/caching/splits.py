"""Which traces form which split: disjoint seed ranges, orders in which families and capacities alternate."""

from __future__ import annotations

from pathlib import Path

from evaluators.caching.instances import FAMILIES, SEARCHED, Spec, generate
from evaluators.caching.problem import Ints, encode, fewest_misses, limit
from evaluators.splits import Splits
from evaluators.task import Instance

CAPACITIES = {"screen": (8,), "search": (8, 16), "gate": (16, 32), "final": (32, 64)}
REQUESTS = {"screen": 80, "search": 500, "gate": 800, "final": 2000}
COUNTS = {"screen": 1, "search": 8, "gate": 6, "final": 4}
"""Traces of each family and capacity."""
SEEDS = {"screen": 1, "search": 1_000, "look": 10_000, "report": 20_000, "final": 100_000}
BLOCK_SEEDS = 100


def part(name: str) -> tuple[Spec, ...]:
    """The traces of ``screen``, ``search``, ``look-BLOCK``, ``report-BLOCK`` or ``final``, in order."""
    kind, _, block = name.partition("-")
    key = "gate" if block else kind
    first = SEEDS[kind] + BLOCK_SEEDS * int(block or 0)
    families = tuple(FAMILIES) if kind == "final" else SEARCHED
    return tuple(
        Spec(family, capacity, REQUESTS[key], first + k)
        for k in range(COUNTS[key])
        for capacity in CAPACITIES[key]
        for family in families
    )


def instance(id_: str, group: str, capacity: int, pages: Ints) -> Instance:
    """An instance with its optimum."""
    return Instance(
        id=id_,
        group=group,
        size=len(pages),
        payload=encode(capacity, pages),
        answer_bytes=2 * len(pages),
        limit=limit(capacity, len(pages)),
        reference=float(fewest_misses(capacity, pages.tolist())),
        reference_kind="proved optimum",
    )


def _made(name: str) -> tuple[Instance, ...]:
    return tuple(instance(s.id, s.group, s.capacity, generate(s)) for s in part(name))


SPLITS = Splits("cache-eviction", Path(__file__).parent / "data" / "manifest.json", _made)
