"""Which instances form which split: disjoint seed ranges, other loads, engines and workloads; classes alternate."""

from __future__ import annotations

from evaluators.serving.episode.specs import Cell, Spec, numbered

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
FINAL = (
    ("conv", "llama3-h100"), ("mixed", "llama3-h100"), ("chat", "llama3-h100"), ("docs", "llama3-h100"),
    ("conv", "qwen-l40s"), ("mixed", "qwen-l40s"),
)  # fmt: skip


def cells(key: str) -> list[Cell]:
    """What is in ``screen``, ``search``, a block of the ``gate`` or ``final``, in order."""
    pairs = FINAL if key == "final" else tuple((w, e) for e in ENGINES[key] for w in SEARCHED)
    return [(w, e, load) for w, e in COUNTS[key] * pairs for load in LOADS[key]]


def part(name: str) -> tuple[Spec, ...]:
    """The instances of a part, in order."""
    return numbered(name, cells, CALLS)
