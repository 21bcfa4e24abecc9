"""Which instances form which split: disjoint seed ranges, other loads, engines and workloads; classes alternate."""

from __future__ import annotations

from evaluators.serving.batching.instances import Spec

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
