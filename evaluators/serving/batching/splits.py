"""Which instances form which split: disjoint seed ranges, other loads, engines and workloads; classes alternate.

``data/manifest.json`` holds the SHA-256 of each part (a split, or a block of the gate); instances are made anew and
must give it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from evaluators.serving.batching import instances
from evaluators.serving.batching.instances import Spec
from evaluators.task import Instance, InstanceSet, TaskError

MANIFEST = Path(__file__).parent / "data" / "manifest.json"
LOOK_BLOCKS = 8
REPORT_BLOCKS = 2
SEARCHED = ("conv", "code", "mixed")
ENGINES = {
    "screen": ("llama2-a100",),
    "search": ("llama2-a100", "llama3-a100"),
    "gate": ("mistral-a100", "llama2-h100"),
}
LOADS = {"screen": (150,), "search": (80, 140, 200), "gate": (90, 150, 220), "final": (70, 100, 130, 180)}
"""Per cent of saturation; where there are few calls a queue needs more than a little overload to build up."""
COUNTS = {"screen": 1, "search": 1, "gate": 2, "final": 1}
"""Instances of each workload, engine and load."""
CALLS = {"screen": 40, "search": 80, "gate": 120, "final": 300}
SEEDS = {"screen": 1, "search": 1_000, "look": 10_000, "report": 20_000, "final": 100_000}
BLOCK_SEEDS = 100
FINAL = (
    ("conv", "llama3-h100"), ("mixed", "llama3-h100"), ("chat", "llama3-h100"), ("docs", "llama3-h100"),
    ("conv", "qwen-l40s"), ("mixed", "qwen-l40s"),
)  # fmt: skip


def part(name: str) -> tuple[Spec, ...]:
    """The instances of ``screen``, ``search``, ``look-BLOCK``, ``report-BLOCK`` or ``final``, in order."""
    kind, _, block = name.partition("-")
    key = "gate" if block else kind
    pairs = FINAL if key == "final" else tuple((w, e) for e in ENGINES[key] for w in SEARCHED)
    cells = [(w, e, load) for w, e in COUNTS[key] * pairs for load in LOADS[key]]
    first = SEEDS[kind] + BLOCK_SEEDS * int(block or 0)
    return tuple(Spec(w, e, load, CALLS[key], first + number) for number, (w, e, load) in enumerate(cells))


def parts(split: str) -> tuple[str, ...]:
    """The parts of a split; of ``gate`` the report blocks."""
    return tuple(f"report-{block}" for block in range(REPORT_BLOCKS)) if split == "gate" else (split,)


def all_parts() -> Iterator[str]:
    """Every part."""
    yield from ("screen", "search", "final", *parts("gate"))
    yield from (f"look-{block}" for block in range(LOOK_BLOCKS))


@cache
def load(name: str) -> tuple[Instance, ...]:
    """The instances of a part. Raises TaskError when they do not give the recorded SHA-256."""
    found = tuple(map(instances.make, part(name)))
    if InstanceSet(name, found).digest != _recorded().get(name):
        raise TaskError(
            f"the instances of {name!r} do not match their SHA-256 in {MANIFEST}: a damaged or altered installation; "
            "reinstall the package"
        )
    return found


def digest(name: str) -> str:
    """The SHA-256 of a part as made now, for the manifest."""
    return InstanceSet(name, tuple(map(instances.make, part(name)))).digest


@cache
def _recorded() -> dict[str, str]:
    try:
        return dict(json.loads(MANIFEST.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise TaskError(f"the manifest {MANIFEST} cannot be read ({error}); reinstall the package") from None
