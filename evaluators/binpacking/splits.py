"""Which instances form which split: disjoint seed ranges, orders in which sizes and families alternate.

A *part* is a split's share of one family (one block of it, for the gate). ``data/manifest.json`` holds the SHA-256 of
each part; instances are generated anew and must give it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from evaluators.binpacking.instances import FAMILIES, Spec, generate
from evaluators.binpacking.problem import encode, limit, lower_bound
from evaluators.task import Instance, TaskError

MANIFEST = Path(__file__).parent / "data" / "manifest.json"
LOOK_BLOCKS = 12
REPORT_BLOCKS = 3
SIZES = {
    "screen": (30, 60, 90),
    "search": (500, 1000),
    "gate": (2000, 5000),
    "final-weibull": (5000, 10_000),
    "final-or": (500, 1000),
}
COUNTS = {"screen": 3, "search": 20, "gate": 20, "final-weibull": 10, "final-or": 40}
SEEDS = {"screen": 1, "search": 1_000, "look": 10_000, "report": 20_000, "final": 100_000}
BLOCK_SEEDS = 100


def part(name: str) -> tuple[Spec, ...]:
    """The instances of a part, in order: ``screen-FAMILY``, ``search-FAMILY``, ``look-FAMILY-BLOCK``,
    ``report-FAMILY-BLOCK``, ``final-FAMILY``."""
    kind, _, rest = name.partition("-")
    family, _, block = rest.partition("-")
    key = {"look": "gate", "report": "gate", "final": name}.get(kind, kind)
    sizes, count = SIZES[key], COUNTS[key]
    first = SEEDS[kind] + BLOCK_SEEDS * int(block or 0)
    return tuple(Spec(family, sizes[k % len(sizes)], first + k) for k in range(count))


def all_parts() -> Iterator[str]:
    """Every part."""
    for family in FAMILIES:
        yield from (f"{kind}-{family}" for kind in ("screen", "search", "final"))
        yield from (f"report-{family}-{block}" for block in range(REPORT_BLOCKS))
        yield from (f"look-{family}-{block}" for block in range(LOOK_BLOCKS))


@cache
def load(name: str) -> tuple[Instance, ...]:
    """The instances of a part. Raises TaskError when they do not give the recorded SHA-256."""
    found = tuple(_instance(spec) for spec in part(name))
    if digest(found) != _recorded().get(name):
        raise TaskError(
            f"the instances of {name!r} do not match their SHA-256 in {MANIFEST}: a damaged or altered installation; "
            "reinstall the package"
        )
    return found


def digest(instances: tuple[Instance, ...]) -> str:
    """SHA-256 over ids, references and payloads, in order."""
    h = hashlib.sha256()
    for i in instances:
        h.update(f"{i.id}\0{i.group}\0{i.reference!r}\0{len(i.payload)}\0".encode())
        h.update(i.payload)
    return h.hexdigest()


def make(name: str) -> str:
    """The SHA-256 of a part as generated now, for the manifest."""
    return digest(tuple(_instance(spec) for spec in part(name)))


def _instance(spec: Spec) -> Instance:
    sizes = generate(spec)
    return Instance(
        id=spec.id,
        group=spec.group,
        size=spec.n,
        payload=encode(spec.capacity, sizes),
        answer_bytes=8 * spec.n,
        limit=limit(spec.n),
        reference=float(lower_bound(spec.capacity, sizes)),
        reference_kind="bound",
    )


@cache
def _recorded() -> dict[str, str]:
    try:
        return dict(json.loads(MANIFEST.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise TaskError(f"the manifest {MANIFEST} cannot be read ({error}); reinstall the package") from None
