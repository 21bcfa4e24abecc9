"""Which instances form which split: disjoint seed ranges, other loads, clusters and workloads; classes alternate."""

from __future__ import annotations

from evaluators.serving.routing.instances import Spec

SEARCHED = ("conv", "chat", "blend", "classes")
CLUSTERS = {"screen": ("a100-h100",), "search": ("a100", "a100-h100"), "gate": ("h100", "a100-l40s")}
LOADS = {"screen": (130,), "search": (80, 130, 180), "gate": (90, 130, 180), "final": (80, 110, 150)}
"""Per cent of saturation; where there are few calls a queue needs more than a little overload to build up."""
COUNTS = {"screen": 1, "search": 2, "gate": 2, "final": 2}
"""Instances of each workload, cluster and load."""
CALLS = {"screen": 40, "search": 120, "gate": 160, "final": 300}
SEEDS = {"screen": 1, "search": 1_000, "look": 10_000, "report": 20_000, "final": 100_000}
BLOCK_SEEDS = 100
FINAL = tuple((w, c) for c in ("l40s", "rtx-h100") for w in ("docs", "chat", "classes"))


def part(name: str) -> tuple[Spec, ...]:
    """The instances of ``screen``, ``search``, ``look-BLOCK``, ``report-BLOCK`` or ``final``, in order."""
    kind, _, block = name.partition("-")
    key = "gate" if block else kind
    pairs = FINAL if key == "final" else tuple((w, c) for c in CLUSTERS[key] for w in SEARCHED)
    cells = [(w, c, load) for w, c in COUNTS[key] * pairs for load in LOADS[key]]
    first = SEEDS[kind] + BLOCK_SEEDS * int(block or 0)
    return tuple(Spec(w, c, load, CALLS[key], first + number) for number, (w, c, load) in enumerate(cells))
