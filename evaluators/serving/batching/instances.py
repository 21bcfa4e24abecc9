"""Seeded instances: which calls come to which engine, how fast, and what they are promised.

A workload is one or two of :mod:`evaluators.serving.workloads` with the limits of its calls; an engine is a model on a
card. ``SATURATION`` is where the two meet: calls a second up to which Sarathi-Serve, with the best of several chunks,
keeps about nine of ten calls within their limits. Loads are shares of it, so that a load means the same everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from evaluators.serving.batching.problem import (
    DECISION_SECONDS,
    ENTRY_BYTES,
    Ints,
    encode,
    entries,
    rate,
)
from evaluators.serving.core.costs import SECOND, Costs
from evaluators.serving.core.metrics import Objective
from evaluators.serving.core.simulation import Engine
from evaluators.serving.timing import kv_cache, timing
from evaluators.serving.workloads import generate
from evaluators.task import Instance

CAP = 128
"""Calls that run at once, as in vLLM's and Vidur's settings of the time."""
BUDGET = 4608
"""Tokens of an iteration: a prompt of 4,096 and 512 beside it."""
CONTEXT = 4096


@dataclass(frozen=True)
class Part:
    """Calls of one kind: a share of the load, with limits in seconds."""

    workload: str
    share: float
    ttft: float
    tbt: float
    variation: float | None = None


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
    ("conv", "llama2-a100"): 7.5, ("code", "llama2-a100"): 6.5, ("mixed", "llama2-a100"): 4.8,
    ("conv", "llama3-a100"): 8.9, ("code", "llama3-a100"): 5.8, ("mixed", "llama3-a100"): 5.9,
    ("conv", "mistral-a100"): 9.2, ("code", "mistral-a100"): 6.0, ("mixed", "mistral-a100"): 5.9,
    ("conv", "llama2-h100"): 18.0, ("code", "llama2-h100"): 23.0, ("mixed", "llama2-h100"): 10.5,
    ("conv", "llama3-h100"): 38.6, ("mixed", "llama3-h100"): 26.5, ("chat", "llama3-h100"): 17.6,
    ("docs", "llama3-h100"): 3.8, ("conv", "qwen-l40s"): 12.9, ("mixed", "qwen-l40s"): 9.2,
}  # fmt: skip


@dataclass(frozen=True)
class Spec:
    """Names one instance: ``calls`` of a workload on an engine, at ``load`` per cent of saturation."""

    workload: str
    engine: str
    load: int
    calls: int
    seed: int

    @property
    def id(self) -> str:
        return f"{self.workload}-{self.engine}-{self.load}-n{self.calls}-s{self.seed}"

    @property
    def group(self) -> str:
        return f"{self.workload} {self.load} %"


def make(spec: Spec) -> Instance:
    """The instance of a specification."""
    load = SATURATION[spec.workload, spec.engine] * spec.load / 100
    model, card = ENGINES[spec.engine]
    longest = LONGEST.get(spec.workload, CONTEXT)
    parts = WORKLOADS[spec.workload]
    rows: list[tuple[int, int, int, int]] = []
    for kind, part in enumerate(parts):
        trace = generate(
            part.workload, round(spec.calls * part.share), 10 * spec.seed + kind, rate=load * part.share,
            variation=part.variation, longest=longest,
        )  # fmt: skip
        times = (round(1e6 * time) for time in trace.arrivals)
        rows += zip(times, trace.prompts, trace.outputs, (kind for _ in trace.ids), strict=True)
    columns = np.array(sorted(rows), np.int64).T
    tighter = FASTER.get(card, 1.0)
    objectives = tuple(objective(part.ttft, part.tbt * tighter) for part in parts)
    return instance(spec.id, spec.group, engine(model, card, 1, longest), objectives, *columns)


def objective(ttft: float, tbt: float) -> Objective:
    """Limits given in seconds."""
    return Objective(round(ttft * SECOND), round(tbt * SECOND))


@cache
def engine(model: str, card: str, tp: int, longest: int) -> Engine:
    """The engine of a model on ``tp`` cards, whose iterations hold the ``longest`` prompt. Raises TaskError."""
    cache = kv_cache(model, card, tp)
    budget = max(BUDGET, longest + BUDGET - CONTEXT)
    return Engine(Costs.of(timing(model, card, tp)), cache.blocks, cache.tokens, CAP, budget)


def instance(
    id_: str, group: str, served_by: Engine, objectives: tuple[Objective, ...], times: Ints, prompts: Ints,
    outputs: Ints, kinds: Ints,
) -> Instance:  # fmt: skip
    """An instance whose reference is the offered load. ``times`` in µs, ascending."""
    logged = entries(len(times), int(prompts.sum()))
    return Instance(
        id=id_,
        group=group,
        size=len(times),
        payload=encode(served_by, objectives, times, prompts, outputs, kinds),
        answer_bytes=ENTRY_BYTES * logged,
        limit=DECISION_SECONDS * logged,
        reference=rate(len(times), int(times[-1] - times[0])),
        reference_kind="bound",
    )
