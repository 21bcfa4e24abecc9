"""Which traces form which split: disjoint seed ranges, orders in which families and capacities alternate.

``data/manifest.json`` holds the SHA-256 of each part (a split, or a block of the gate); traces and their optima are
made anew and must give it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from evaluators.caching.instances import FAMILIES, SEARCHED, Spec, generate
from evaluators.caching.problem import Ints, encode, fewest_misses, limit
from evaluators.task import Instance, TaskError

MANIFEST = Path(__file__).parent / "data" / "manifest.json"
LOOK_BLOCKS = 8
REPORT_BLOCKS = 2
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


@cache
def _recorded() -> dict[str, str]:
    try:
        return dict(json.loads(MANIFEST.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise TaskError(f"the manifest {MANIFEST} cannot be read ({error}); reinstall the package") from None
