"""Which instances form which split: disjoint seed ranges, other loads, clusters and workloads; classes alternate."""

from __future__ import annotations

from evaluators.serving.episode.specs import Cell, Spec, numbered

SEARCHED = ("conv", "chat", "blend", "classes")
CLUSTERS = {"screen": ("a100-h100",), "search": ("a100", "a100-h100"), "gate": ("h100", "a100-l40s")}
LOADS = {"screen": (130,), "search": (80, 130, 180), "gate": (90, 130, 180), "final": (80, 110, 150)}
"""Per cent of saturation; where there are few calls a queue needs more than a little overload to build up."""
COUNTS = {"screen": 1, "search": 2, "gate": 2, "final": 2}
"""Instances of each workload, cluster and load."""
CALLS = {"screen": 40, "search": 120, "gate": 160, "final": 300}
FINAL = tuple((w, c) for c in ("l40s", "rtx-h100") for w in ("docs", "chat", "classes"))


def cells(key: str) -> list[Cell]:
    """What is in ``screen``, ``search``, a block of the ``gate`` or ``final``, in order."""
    pairs = FINAL if key == "final" else tuple((w, c) for c in CLUSTERS[key] for w in SEARCHED)
    return [(w, c, load) for w, c in COUNTS[key] * pairs for load in LOADS[key]]


def part(name: str) -> tuple[Spec, ...]:
    """The instances of a part, in order."""
    return numbered(name, cells, CALLS)
