"""Which instances form which split: disjoint seed ranges, other loads, engines and workloads; classes alternate."""

from __future__ import annotations

from evaluators.serving.episode.specs import Cell, Spec, numbered

WORKLOADS = {
    "screen": ("talk", "code", "mixed"),
    "search": ("talk", "code", "mixed"),
    "gate": ("talk", "mixed", "drift"),
    "final": ("talk", "code", "mixed", "drift"),
}
ENGINES = {
    "screen": ("llama2-a100",),
    "search": ("llama2-a100", "llama3-l40s"),
    "gate": ("mistral-a100", "llama2-h100"),
    "final": ("qwen-a100", "llama2-l40s"),
}
LOADS = {
    "screen": (160,),
    "search": (100, 130, 160, 200, 250),
    "gate": (110, 140, 170, 210, 260),
    "final": (120, 180, 240),
}
"""Per cent of saturation: above it, since below it most orders serve nearly all in time."""
CALLS = {"screen": 60, "search": 160, "gate": 200, "final": 400}


def cells(key: str) -> list[Cell]:
    """What is in ``screen``, ``search``, a block of the ``gate`` or ``final``, in order."""
    return [(w, e, load) for e in ENGINES[key] for load in LOADS[key] for w in WORKLOADS[key]]


def part(name: str) -> tuple[Spec, ...]:
    """The instances of a part, in order."""
    return numbered(name, cells, CALLS)
