"""Which instances form which split: disjoint seed ranges, orders in which families alternate.

``data/manifest.json`` holds the SHA-256 of each part (a split, or a block of the gate); instances are made anew and
must give it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from evaluators.memory.alloc.instances import CAPACITY, FAMILIES, SEARCHED, Spec, generate
from evaluators.memory.buffers import Buffers, encode
from evaluators.task import Instance, ReferenceKind, TaskError

MANIFEST = Path(__file__).parent / "data" / "manifest.json"
LOOK_BLOCKS = 8
REPORT_BLOCKS = 2
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


@cache
def _recorded() -> dict[str, str]:
    try:
        return dict(json.loads(MANIFEST.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise TaskError(f"the manifest {MANIFEST} cannot be read ({error}); reinstall the package") from None
