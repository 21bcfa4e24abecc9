"""Seeded instances: which calls come to which engine, how fast, and what they are promised.

A workload is one or two of :mod:`evaluators.serving.workloads` with the limits of its calls; an engine is a model on a
card. ``SATURATION`` is where the two meet: calls a second up to which Sarathi-Serve, with the best of several chunks,
keeps about nine of ten calls within their limits. Loads are shares of it, so that a load means the same everywhere.
"""

from __future__ import annotations

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
"""Processor time of a decision, s: some two hundred times that of Sarathi-Serve's."""


WORKLOADS: dict[str, tuple[Part, ...]] = {
    "conv": (Part("azure-conv", 1.0, 1.0, 0.05),),
    "code": (Part("azure-code", 1.0, 2.0, 0.05, variation=2.0),),
    "mixed": (Part("azure-conv", 0.75, 1.0, 0.05), Part("arxiv", 0.25, 4.0, 0.1)),
    "chat": (Part("sharegpt", 1.0, 1.0, 0.05),),
    "docs": (Part("mooncake-conversation", 1.0, 8.0, 0.1),),
}
LONGEST = {"docs": 16384}
"""Prompt and output together, where it is not CONTEXT."""
FASTER = {"h100": 0.5}
"""Where the card is faster, the time between tokens is promised shorter."""
ENGINES: dict[str, tuple[str, str]] = {
    "llama2-a100": ("llama-2-7b", "a100"),
    "llama3-a100": ("llama-3.1-8b", "a100"),
    "mistral-a100": ("mistral-7b", "a100"),
    "llama2-h100": ("llama-2-7b", "h100"),
    "llama3-h100": ("llama-3.1-8b", "h100"),
    "qwen-l40s": ("qwen2.5-7b", "l40s"),
}
SATURATION: dict[tuple[str, str], float] = {
    ("conv", "llama2-a100"): 4.5, ("code", "llama2-a100"): 4.3, ("mixed", "llama2-a100"): 3.4,
    ("conv", "llama3-a100"): 4.8, ("code", "llama3-a100"): 4.2, ("mixed", "llama3-a100"): 3.7,
    ("conv", "mistral-a100"): 5.0, ("code", "mistral-a100"): 4.4, ("mixed", "mistral-a100"): 3.9,
    ("conv", "llama2-h100"): 13.3, ("code", "llama2-h100"): 19.8, ("mixed", "llama2-h100"): 8.7,
    ("conv", "llama3-h100"): 34.0, ("mixed", "llama3-h100"): 24.1, ("chat", "llama3-h100"): 19.7,
    ("docs", "llama3-h100"): 4.9, ("conv", "qwen-l40s"): 5.9, ("mixed", "qwen-l40s"): 4.2,
}  # fmt: skip


def make(spec: Spec) -> Instance:
    """The instance of a specification."""
    model, card = ENGINES[spec.engine]
    parts = WORKLOADS[spec.workload]
    longest = LONGEST.get(spec.workload, CONTEXT)
    load = SATURATION[spec.workload, spec.engine] * spec.load / 100
    tighter = FASTER.get(card, 1.0)
    objectives = tuple(objective(part.ttft, part.tbt * tighter) for part in parts)
    calls = requests(parts, spec.calls, load, spec.seed, longest)
    served = problem(engine(model, card, 1, longest), calls, objectives)
    return instance(spec.id, spec.group, served, DECISION_SECONDS)


def problem(served_by: Engine, calls: tuple[Request, ...], objectives: tuple[Objective, ...]) -> Problem:
    """One engine serves calls. The log has an entry a decision and one a chunk: enough for chunks of 64 tokens on
    average, and twelve decisions a call in which nothing is computed; the rest is for an engine that stands still until
    it is noticed. Once they are used up the policy is asked no more."""
    entries = 24 * len(calls) + sum(c.prompt for c in calls) // 32 + 300
    return Problem(Scenario((served_by,), calls, poll=POLL, until=UNTIL), objectives, entries)
