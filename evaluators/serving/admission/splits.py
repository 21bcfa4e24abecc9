"""Which instances form which split: disjoint seed ranges, other loads, engines and workloads; classes alternate."""

from __future__ import annotations

from evaluators.serving.admission.instances import Spec

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
SEEDS = {"screen": 1, "search": 1_000, "look": 10_000, "report": 20_000, "final": 100_000}
BLOCK_SEEDS = 100


def part(name: str) -> tuple[Spec, ...]:
    """The instances of ``screen``, ``search``, ``look-BLOCK``, ``report-BLOCK`` or ``final``, in order."""
    kind, _, block = name.partition("-")
    key = "gate" if block else kind
    cells = [(w, e, load) for e in ENGINES[key] for load in LOADS[key] for w in WORKLOADS[key]]
    first = SEEDS[kind] + BLOCK_SEEDS * int(block or 0)
    return tuple(Spec(w, e, load, CALLS[key], first + number) for number, (w, e, load) in enumerate(cells))
