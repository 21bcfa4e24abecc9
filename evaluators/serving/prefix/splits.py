"""Which instances form which split: disjoint seed ranges, other loads, engines and workloads; classes alternate."""

from __future__ import annotations

from evaluators.serving.episode.specs import Cell, Spec, numbered
from evaluators.serving.prefix.instances import BATCHES

WORKLOADS = {
    "screen": ("documents", "tools"),
    "search": ("documents", "chat", "samples", "tools"),
    "gate": ("documents", "chat", "samples", "tools", "tree", "synthetic"),
    "final": ("documents", "chat", "tree", "tools", "samples", "synthetic"),
}
OFFLINE = {
    "screen": ("qwen3-a100",),
    "search": ("qwen3-a100", "llama2-l40s"),
    "gate": ("qwen3-h100", "llama70-l40s"),
    "final": ("qwen3-l40s", "llama2-l40s"),
}
ONLINE = {
    "screen": ("llama2-a100",),
    "search": ("llama2-a100", "llama3-l40s"),
    "gate": ("mistral-a100", "llama2-h100"),
    "final": ("llama3-h100", "llama3-l40s"),
}
"""Engines of batches, and of calls that keep coming."""
LOADS = {"screen": (150,), "search": (90, 130, 190), "gate": (100, 150, 220), "final": (50, 80, 120, 180)}
"""Per cent."""
COUNTS = {"screen": 1, "search": 2, "gate": 1, "final": 1}
"""Instances of each workload, engine and load."""
CALLS = {"screen": 40, "search": 80, "gate": 80, "final": 200}


def cells(key: str) -> list[Cell]:
    """What is in ``screen``, ``search``, a block of the ``gate`` or ``final``, in order."""
    return COUNTS[key] * [
        (workload, (OFFLINE if workload in BATCHES else ONLINE)[key][engine], load)
        for engine in range(len(OFFLINE[key]))
        for load in LOADS[key]
        for workload in WORKLOADS[key]
    ]


def part(name: str) -> tuple[Spec, ...]:
    """The instances of a part, in order."""
    return numbered(name, cells, CALLS)
