"""Which instances form which split: disjoint seed ranges, other loads, clusters and workloads; classes alternate."""

from __future__ import annotations

from evaluators.serving.episode.specs import Cell, Spec, numbered

WORKLOADS = {
    "screen": ("falling", "waves", "steady"),
    "search": ("falling", "waves", "steady"),
    "gate": ("rising", "waves", "steady"),
    "final": ("papers", "rising", "waves"),
}
CLUSTERS = {
    "screen": ("a100",),
    "search": ("a100", "l40s"),
    "gate": ("h100", "llama3"),
    "final": ("rtx", "a100-h100"),
}
LOADS = {"screen": (130,), "search": (100, 130, 160), "gate": (110, 140, 170), "final": (120, 150)}
"""Per cent of saturation."""
COUNTS = {"screen": 1, "search": 1, "gate": 2, "final": 2}
"""Instances of each workload, cluster and load."""
CALLS = {"screen": 100, "search": 240, "gate": 240, "final": 400}


def cells(key: str) -> list[Cell]:
    """What is in ``screen``, ``search``, a block of the ``gate`` or ``final``, in order."""
    pairs = [(w, c) for c in CLUSTERS[key] for w in WORKLOADS[key]]
    return [(w, c, load) for _ in range(COUNTS[key]) for w, c in pairs for load in LOADS[key]]


def part(name: str) -> tuple[Spec, ...]:
    """The instances of a part, in order."""
    return numbered(name, cells, CALLS)
