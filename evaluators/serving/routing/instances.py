"""Seeded instances: which calls come to which engines, how fast, and what they are promised.

A workload is one or two of :mod:`evaluators.serving.workloads`, in bursts, with the limits of its calls; a cluster is a
model on four to eight cards. ``SATURATION`` is where the two meet: calls a second up to which the best of three rules
(least outstanding, least queued, freest memory) keeps about nine of ten calls within their limits. Loads are shares of
it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from evaluators.serving.core.calls import Request
from evaluators.serving.core.costs import SECOND
from evaluators.serving.core.metrics import Objective
from evaluators.serving.core.simulation import Engine, Scenario
from evaluators.serving.episode.cluster import member, stretched
from evaluators.serving.episode.problem import Problem
from evaluators.serving.episode.specs import Spec
from evaluators.serving.episode.workload import (
    POLL,
    UNTIL,
    Part,
    instance,
    objective,
    requests,
)
from evaluators.serving.routing.simulator import SENT
from evaluators.task import Instance

DECISION_SECONDS = 0.001
"""Processor time of a decision, s."""
ROUND = SECOND
"""How often calls may migrate, ps."""
BURSTS = 3.0
"""Coefficient of variation of the gaps between arrivals."""


def _part(workload: str, share: float, ttft: float, tbt: float) -> Part:
    return Part(workload, share, ttft, tbt, BURSTS)


WORKLOADS: dict[str, tuple[Part, ...]] = {
    "conv": (_part("azure-conv", 1.0, 2.0, 0.25),),
    "chat": (_part("sharegpt", 1.0, 2.0, 0.25),),
    "blend": (_part("sharegpt", 0.4, 2.0, 0.25), _part("azure-code", 0.6, 2.0, 0.25)),
    "docs": (_part("arxiv", 1.0, 4.0, 0.25),),
    "classes": (_part("sharegpt", 0.75, 4.0, 0.5), _part("azure-conv", 0.25, 1.0, 0.25)),
}


@dataclass(frozen=True)
class Cluster:
    """A model on cards, an instance on each; ``limits``: what the limits of a workload are multiplied by there."""

    model: str
    cards: tuple[str, ...]
    limits: float = 1.0


CLUSTERS: dict[str, Cluster] = {
    "a100": Cluster("qwen3-32b", ("a100",) * 4),
    "a100-h100": Cluster("qwen3-32b", ("a100", "a100", "h100", "h100")),
    "h100": Cluster("qwen3-32b", ("h100",) * 4, 0.5),
    "a100-l40s": Cluster("llama-2-7b", ("a100",) * 2 + ("l40s",) * 4, 0.5),
    "l40s": Cluster("llama-2-7b", ("l40s",) * 8, 0.5),
    "rtx-h100": Cluster("qwen3-32b", ("rtx-pro-6000",) * 3 + ("h100",) * 3),
}
CACHE = 16384
"""Tokens that the cache of an instance holds at most: as little as the paper's cards leave, so that a few hundred calls
fill it several times."""
SATURATION: dict[tuple[str, str], float] = {
    ("conv", "a100"): 3.1, ("chat", "a100"): 1.3, ("blend", "a100"): 2.3, ("classes", "a100"): 1.1,
    ("conv", "a100-h100"): 5.9, ("chat", "a100-h100"): 2.0, ("blend", "a100-h100"): 4.2, ("classes", "a100-h100"): 1.8,
    ("conv", "h100"): 7.4, ("chat", "h100"): 2.6, ("blend", "h100"): 5.6, ("classes", "h100"): 2.2,
    ("conv", "a100-l40s"): 26.0, ("chat", "a100-l40s"): 5.2, ("blend", "a100-l40s"): 49.9,
    ("classes", "a100-l40s"): 4.9,
    ("docs", "l40s"): 6.6, ("chat", "l40s"): 6.3, ("classes", "l40s"): 6.7,
    ("docs", "rtx-h100"): 3.6, ("chat", "rtx-h100"): 3.4, ("classes", "rtx-h100"): 3.5,
}  # fmt: skip


def make(spec: Spec) -> Instance:
    """The instance of a specification."""
    cluster, parts = CLUSTERS[spec.engine], WORKLOADS[spec.workload]
    load = SATURATION[spec.workload, spec.engine] * spec.load / 100
    calls = stretched(requests(parts, spec.calls, load, spec.seed), load)
    limits = tuple(objective(p.ttft * cluster.limits, p.tbt * cluster.limits) for p in parts)
    engines = [member(cluster.model, name, CACHE) for name in cluster.cards]
    return instance(spec.id, spec.group, problem(engines, calls, limits), DECISION_SECONDS)


def problem(
    engines: Sequence[Engine], calls: tuple[Request, ...], objectives: tuple[Objective, ...]
) -> Problem:
    """Engines serve calls. The log has room for every route, and for all that can migrate in every round in which calls
    generate: there are as many as the run has, and not more than a token of some call takes an eighth of a second."""
    rounds = (calls[-1].arrival + UNTIL) // ROUND + 1
    rounds = min(rounds, (UNTIL // ROUND) + sum(c.output for c in calls) // 8)
    entries = 2 + 2 * len(calls) + rounds * (1 + SENT * len(engines))
    scenario = Scenario(tuple(engines), calls, poll=POLL, control=ROUND, until=UNTIL)
    return Problem(scenario, objectives, entries)
