"""Which instances form which split: disjoint seed ranges, other loads, engines and workloads; classes alternate."""

from __future__ import annotations

from evaluators.serving.episode.specs import Cell, Spec, numbered

WORKLOADS = {
    "screen": ("conv", "reason", "both"),
    "search": ("conv", "reason", "both", "drift"),
    "gate": ("chat", "reason", "both", "drift"),
    "final": ("conv", "chat", "reason", "drift"),
}
ENGINES = {
    "screen": ("llama2-a100",),
    "search": ("llama2-a100", "llama2-l40s"),
    "gate": ("llama2-h100", "mistral-a100"),
    "final": ("qwen3-h100", "llama3-l40s"),
}
LOADS = {
    "screen": (110,),
    "search": (80, 95, 110, 125, 140),
    "gate": (85, 100, 115, 130, 145),
    "final": (90, 120, 150),
}
"""Per cent of saturation: below and above it, but mostly near it, since far below nothing is to be decided and far
above nobody is in time."""
CALLS = {"screen": 50, "search": 120, "gate": 160, "final": 400}


def cells(key: str) -> list[Cell]:
    """What is in ``screen``, ``search``, a block of the ``gate`` or ``final``, in order."""
    return [(w, e, load) for e in ENGINES[key] for load in LOADS[key] for w in WORKLOADS[key]]


def part(name: str) -> tuple[Spec, ...]:
    """The instances of a part, in order."""
    return numbered(name, cells, CALLS)
