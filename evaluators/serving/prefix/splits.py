"""Which instances form which split: disjoint seed ranges, other loads, engines and workloads; classes alternate."""

from __future__ import annotations

from evaluators.serving.prefix.instances import BATCHES, Spec

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
SEEDS = {"screen": 1, "search": 1_000, "look": 10_000, "report": 20_000, "final": 100_000}
BLOCK_SEEDS = 100


def part(name: str) -> tuple[Spec, ...]:
    """The instances of ``screen``, ``search``, ``look-BLOCK``, ``report-BLOCK`` or ``final``, in order."""
    kind, _, block = name.partition("-")
    key = "gate" if block else kind
    cells = [
        (workload, (OFFLINE if workload in BATCHES else ONLINE)[key][engine], load)
        for engine in range(len(OFFLINE[key]))
        for load in LOADS[key]
        for workload in WORKLOADS[key]
    ]
    first = SEEDS[kind] + BLOCK_SEEDS * int(block or 0)
    return tuple(
        Spec(workload, engine, load, CALLS[key], first + number)
        for number, (workload, engine, load) in enumerate(COUNTS[key] * cells)
    )
