"""Seeded instances: which calls of three classes come to which engine, and how fast.

``SATURATION`` is where a workload and an engine meet: calls a second up to which the reference policy keeps about nine
of ten calls within their limits. Loads are shares of it, so that a load means the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from evaluators import bits
from evaluators.serving.chance import uniform
from evaluators.serving.core.calls import Request
from evaluators.serving.core.metrics import Objective
from evaluators.serving.core.simulation import Engine, Scenario
from evaluators.serving.episode.problem import Problem
from evaluators.serving.episode.specs import Spec
from evaluators.serving.episode.workload import (
    CONTEXT,
    POLL,
    UNTIL,
    Part,
    engine,
    instance,
    objective,
    requests,
)
from evaluators.task import Instance

DECISION_SECONDS = 0.001
"""Processor time of a decision, s."""
TTFT = (1.0, 4.0, 12.0)
"""Limit of the time to the first token by class, s."""
TBT = 0.5
"""Limit between two tokens of all calls, s: many iterations, but less than computing everything anew takes."""
BURSTS = 3.0
"""Coefficient of variation of the gaps between arrivals."""
LARGEST = 1024
"""What the senders of half of the calls write for the most that these may generate."""


def _classes(
    *kinds: tuple[str, float], cycles: Sequence[tuple[float, ...]] = ((1.0,), (1.0,), (1.0,))
) -> tuple[Part, ...]:
    """The parts of a workload: (lengths, share) of each class."""
    return tuple(
        Part(lengths, share, ttft, TBT, variation=BURSTS, cycle=cycle)
        for (lengths, share), ttft, cycle in zip(kinds, TTFT, cycles, strict=True)
    )


WORKLOADS: dict[str, tuple[Part, ...]] = {
    "talk": _classes(("azure-conv", 0.6), ("sharegpt", 0.2), ("azure-conv", 0.2)),
    "code": _classes(("azure-code", 0.5), ("azure-conv", 0.3), ("azure-code", 0.2)),
    "mixed": _classes(("azure-conv", 0.4), ("azure-code", 0.4), ("sharegpt", 0.2)),
    "drift": _classes(
        ("azure-conv", 0.5),
        ("azure-code", 0.3),
        ("azure-code", 0.2),
        cycles=((1.4, 0.6), (0.6, 1.4), (0.6, 1.4)),
    ),
}
ENGINES: dict[str, tuple[str, str, int]] = {
    "llama2-a100": ("llama-2-7b", "a100", 1000),
    "llama3-l40s": ("llama-3.1-8b", "l40s", 1000),
    "mistral-a100": ("mistral-7b", "a100", 1000),
    "llama2-h100": ("llama-2-7b", "h100", 1000),
    "qwen-a100": ("qwen2.5-7b", "a100", 1000),
    "llama2-l40s": ("llama-2-7b", "l40s", 1000),
}
"""Model, card and blocks of 16 tokens; the rest of the card's memory is another's."""
SATURATION: dict[tuple[str, str], float] = {
    ("talk", "llama2-a100"): 0.98, ("code", "llama2-a100"): 5.6, ("mixed", "llama2-a100"): 1.7,
    ("drift", "llama2-a100"): 3.5, ("talk", "llama3-l40s"): 0.62, ("code", "llama3-l40s"): 4.3,
    ("mixed", "llama3-l40s"): 1.1, ("drift", "llama3-l40s"): 2.4, ("talk", "mistral-a100"): 1.3,
    ("code", "mistral-a100"): 6.6, ("mixed", "mistral-a100"): 2.1, ("drift", "mistral-a100"): 4.2,
    ("talk", "llama2-h100"): 2.4, ("code", "llama2-h100"): 22.0, ("mixed", "llama2-h100"): 4.3,
    ("drift", "llama2-h100"): 8.8, ("talk", "llama2-l40s"): 0.44, ("code", "llama2-l40s"): 3.5,
    ("mixed", "llama2-l40s"): 0.9, ("drift", "llama2-l40s"): 1.8, ("talk", "qwen-a100"): 1.4,
    ("code", "qwen-a100"): 6.6, ("mixed", "qwen-a100"): 2.1, ("drift", "qwen-a100"): 4.3,
}  # fmt: skip


def make(spec: Spec) -> Instance:
    """The instance of a specification."""
    load = SATURATION[spec.workload, spec.engine] * spec.load / 100
    return instance(
        spec.id, spec.group, posed(spec.workload, spec.engine, load, spec.calls, spec.seed), DECISION_SECONDS
    )


def posed(workload: str, engine_name: str, load: float, calls: int, seed: int) -> Problem:
    """About ``calls`` calls of a workload, ``load`` a second, for an engine."""
    model, card, blocks = ENGINES[engine_name]
    parts = WORKLOADS[workload]
    served_by = replace(engine(model, card, 1, CONTEXT), blocks=blocks)
    return problem(
        served_by, requests(parts, calls, load, seed), tuple(objective(p.ttft, p.tbt) for p in parts), seed
    )


def problem(
    served_by: Engine, calls: Sequence[Request], objectives: tuple[Objective, ...], seed: int = 0
) -> Problem:
    """One engine serves calls whose senders have limited their outputs. The log has two entries for a call that begins
    and one for a decision that lets none begin: there is room for five beginnings of a call, and for a decision in
    every iteration with a prompt. Once they are used up the policy is asked no more."""
    entries = 16 * len(calls) + sum(c.prompt for c in calls) // 256 + 100
    limited = tuple(replace(call, hint=limit) for call, limit in zip(calls, limits(calls, seed), strict=True))
    return Problem(Scenario((served_by,), limited, poll=POLL, until=UNTIL), objectives, entries)


def limits(calls: Sequence[Request], seed: int) -> list[int]:
    """What the senders write for the most that each call may generate: half of them the least power of two, from 16 on,
    that one to four times the output does not exceed; the others LARGEST, or twice and so on what is not enough."""
    outputs = np.array([c.output for c in calls], np.int64)
    longest = LARGEST
    while longest < outputs.max():
        longest *= 2
    wanted = outputs * (1.0 + 3.0 * uniform(bits.stream(seed, 8), len(calls)))
    powers = [min(longest, max(16, 1 << (int(w) - 1).bit_length())) for w in np.ceil(wanted).tolist()]
    careful = (uniform(bits.stream(seed, 9), len(calls)) < 0.5).tolist()
    return [power if known else longest for power, known in zip(powers, careful, strict=True)]
