"""Which instances form which split: disjoint seed ranges, orders in which sizes alternate.

A *part* is a split or one block of the gate. ``data/tours.npz`` holds for each part the reference tours one after
another, ``data/manifest.json`` the SHA-256 of each part's instances with their references, and who made them.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from evaluators.task import Instance, TaskError
from evaluators.tsp.instances import Spec, generate
from evaluators.tsp.problem import Floats, encode, length, limit

DATA = Path(__file__).parent / "data"
LOOK_BLOCKS = 8
REPORT_BLOCKS = 2
KINDS = {
    "screen": (1, 6, (("uniform", 8), ("uniform", 12))),
    "search": (1_000, 64, (("uniform", 20), ("uniform", 50))),
    "look": (10_000, 100, (("uniform", 50), ("uniform", 100))),
    "report": (20_000, 100, (("uniform", 50), ("uniform", 100))),
    "final": (100_000, 160, (("uniform", 100), ("clustered", 100), ("uniform", 200), ("clustered", 200))),
}
"""First seed, number of instances, and the classes that alternate."""
BLOCK_SEEDS = 500


def part(name: str) -> tuple[Spec, ...]:
    """The instances of a part, in order: ``screen``, ``search``, ``look-BLOCK``, ``report-BLOCK``, ``final``."""
    kind, _, block = name.partition("-")
    first, count, classes = KINDS[kind]
    first += BLOCK_SEEDS * int(block or 0)
    return tuple(Spec(*classes[k % len(classes)], first + k) for k in range(count))


def all_parts() -> Iterator[str]:
    """Every part."""
    yield from ("screen", "search", "final")
    yield from (f"report-{block}" for block in range(REPORT_BLOCKS))
    yield from (f"look-{block}" for block in range(LOOK_BLOCKS))


@cache
def load(name: str) -> tuple[Instance, ...]:
    """The instances of a part with their references. Raises TaskError when they do not give the recorded SHA-256."""
    found = tuple(
        instance(spec, *generate(spec), tour) for spec, tour in zip(part(name), tours(name), strict=False)
    )
    if len(found) != len(part(name)) or digest(found) != _manifest()["parts"].get(name):
        raise TaskError(
            f"the instances and references of {name!r} do not match their SHA-256 in {DATA / 'manifest.json'}: a "
            "damaged or altered installation; reinstall the package"
        )
    return found


def tours(name: str) -> tuple[tuple[int, ...], ...]:
    """The reference tour of each instance of a part."""
    path = DATA / "tours.npz"
    try:
        with np.load(path, allow_pickle=False) as arrays:
            flat = arrays[name].tolist()
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise TaskError(f"the references {path} cannot be read ({error}); reinstall the package") from None
    found, at = [], 0
    for spec in part(name):
        found.append(tuple(flat[at : at + spec.n]))
        at += spec.n
    return tuple(found)


def instance(spec: Spec, x: Floats, y: Floats, tour: Sequence[int]) -> Instance:
    """An instance whose reference is the length of ``tour``."""
    if sorted(tour) != list(range(spec.n)):
        raise TaskError(f"the reference tour of {spec.id} is no tour; reinstall the package")
    return Instance(
        id=spec.id,
        group=spec.group,
        size=spec.n,
        payload=encode(x, y),
        answer_bytes=8 * spec.n,
        limit=limit(spec.n),
        reference=length(x, y, tour),
        reference_kind="best known",
    )


def digest(instances: Sequence[Instance]) -> str:
    """SHA-256 over ids, groups, references and payloads, in order."""
    h = hashlib.sha256()
    for i in instances:
        h.update(f"{i.id}\0{i.group}\0{i.reference!r}\0{len(i.payload)}\0".encode())
        h.update(i.payload)
    return h.hexdigest()


@cache
def _manifest() -> dict[str, Any]:
    path = DATA / "manifest.json"
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise TaskError(f"the manifest {path} cannot be read ({error}); reinstall the package") from None
