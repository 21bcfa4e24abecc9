"""Seeded instances: which calls come to which engine, how fast, and how many blocks its cache has.

A workload is one or two kinds of calls; an engine is a model on a card. ``SATURATION`` is where the two meet: calls a
second up to which a policy that knows all lengths keeps about nine of ten calls within their limits. Loads are shares
of it, so that a load means the same everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from evaluators import bits
from evaluators.serving.chance import gamma
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

DECISION_SECONDS = 0.002
"""Processor time of a decision, s: some twenty times that of Past-Future's."""
TBT = 0.3
"""Limit between two tokens of all calls, s: several iterations, but less than computing everything anew takes."""


def _talk(workload: str, share: float = 1.0, cycle: tuple[float, ...] = (1.0,)) -> Part:
    return Part(workload, share, 10.0, TBT, variation=BURSTS, cycle=cycle)


def _thought(share: float = 1.0, cycle: tuple[float, ...] = (1.0,)) -> Part:
    return Part("azure-conv", share, 30.0, TBT, variation=BURSTS, cycle=cycle)


BURSTS = 3.0
"""Coefficient of variation of the gaps between arrivals."""
WORKLOADS: dict[str, tuple[Part, ...]] = {
    "conv": (_talk("azure-conv"),),
    "chat": (_talk("sharegpt"),),
    "reason": (_thought(),),
    "both": (_talk("azure-conv", 0.5), _thought(0.5)),
    "drift": (_talk("azure-conv", 0.5, (1.6, 0.4)), _thought(0.5, (0.4, 1.6))),
}
REASONING = {"reason": 0, "both": 1, "drift": 1}
"""Which part of a workload asks a reasoning model. No public trace of one tells lengths, so they are made up: prompts a
quarter as long as those of conversations, outputs from Gamma(SHAPE) with the mean MEAN, at least LEAST."""
SHAPE, MEAN, LEAST = 1.5, 1500.0, 64
LONGEST = {"conv": 1024, "chat": 1024, "reason": 3072, "both": 3072, "drift": 3072}
"""Tokens that a call may generate at most, which engine and policy know."""
ENGINES: dict[str, tuple[str, str, int]] = {
    "llama2-a100": ("llama-2-7b", "a100", 900),
    "llama2-l40s": ("llama-2-7b", "l40s", 1200),
    "llama2-h100": ("llama-2-7b", "h100", 1000),
    "qwen3-h100": ("qwen3-32b", "h100", 1400),
    "mistral-a100": ("mistral-7b", "a100", 1100),
    "llama3-l40s": ("llama-3.1-8b", "l40s", 1600),
}
"""Model, card and blocks of 16 tokens; the rest of the card's memory is another's."""
SATURATION: dict[tuple[str, str], float] = {
    ("conv", "llama2-a100"): 3.3, ("chat", "llama2-a100"): 0.41, ("reason", "llama2-a100"): 0.35,
    ("both", "llama2-a100"): 0.57, ("drift", "llama2-a100"): 0.48, ("conv", "llama2-l40s"): 2.1,
    ("chat", "llama2-l40s"): 0.16, ("reason", "llama2-l40s"): 0.19, ("both", "llama2-l40s"): 0.35,
    ("drift", "llama2-l40s"): 0.28, ("conv", "llama2-h100"): 9.9, ("chat", "llama2-h100"): 1.2,
    ("reason", "llama2-h100"): 0.98, ("both", "llama2-h100"): 1.4, ("drift", "llama2-h100"): 1.3,
    ("conv", "qwen3-h100"): 2.9, ("chat", "qwen3-h100"): 0.33, ("reason", "qwen3-h100"): 0.3,
    ("both", "qwen3-h100"): 0.57, ("drift", "qwen3-h100"): 0.41, ("conv", "mistral-a100"): 5.1,
    ("chat", "mistral-a100"): 0.72, ("reason", "mistral-a100"): 0.66, ("both", "mistral-a100"): 0.98,
    ("drift", "mistral-a100"): 0.87, ("conv", "llama3-l40s"): 3.7, ("chat", "llama3-l40s"): 0.47,
    ("reason", "llama3-l40s"): 0.37, ("both", "llama3-l40s"): 0.69, ("drift", "llama3-l40s"): 0.57,
}  # fmt: skip


def make(spec: Spec) -> Instance:
    """The instance of a specification."""
    load = SATURATION[spec.workload, spec.engine] * spec.load / 100
    served = posed(spec.workload, spec.engine, load, spec.calls, spec.seed)
    return instance(spec.id, spec.group, served, DECISION_SECONDS)


def posed(workload: str, engine_name: str, load: float, calls: int, seed: int) -> Problem:
    """About ``calls`` calls of a workload, ``load`` a second, for an engine."""
    model, card, blocks = ENGINES[engine_name]
    parts = WORKLOADS[workload]
    served_by = replace(engine(model, card, 1, CONTEXT), blocks=blocks)
    coming = requests(parts, calls, load, seed)
    if workload in REASONING:
        coming = _reasoning(coming, REASONING[workload], LONGEST[workload], seed)
    return problem(served_by, coming, tuple(objective(p.ttft, p.tbt) for p in parts), LONGEST[workload])


def _reasoning(calls: tuple[Request, ...], kind: int, longest: int, seed: int) -> tuple[Request, ...]:
    """The calls, those of ``kind`` with the lengths of a reasoning model."""
    drawn = MEAN / SHAPE * gamma(bits.stream(seed, 7), SHAPE, len(calls))
    outputs = np.floor(np.clip(drawn, LEAST, longest)).astype(np.int64).tolist()
    return tuple(
        replace(call, prompt=-(-call.prompt // 4), output=output) if call.kind == kind else call
        for call, output in zip(calls, outputs, strict=True)
    )


def problem(
    served_by: Engine, calls: Sequence[Request], objectives: tuple[Objective, ...], longest: int
) -> Problem:
    """One engine serves calls, of which it knows that they generate at most ``longest`` tokens (the hint of each). The
    log has two entries a decision at most: there is room for twelve a call, one for every 256 tokens of prompts and 32
    of outputs; the rest is for an engine that stands still until it is noticed. Once they are used up the policy is
    asked no more."""
    entries = 24 * len(calls) + sum(c.prompt for c in calls) // 128 + sum(c.output for c in calls) // 16 + 300
    hinted = tuple(replace(c, hint=longest) for c in calls)
    return Problem(Scenario((served_by,), hinted, poll=POLL, until=UNTIL), objectives, entries)
