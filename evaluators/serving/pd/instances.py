"""Seeded instances: which calls come to which engines, how fast, how their mix drifts, and what they are promised.

A workload is calls with long prompts and short outputs, calls with long outputs, and offline ones that can wait; the
first two come and go along a cycle, so that now prompts and now outputs are the work. A cluster is a model on four to
six cards, half of them for prefill alone at the beginning. ``SATURATION`` is where the two meet: calls a second up to
which the reference policy, in an earlier and weaker form, kept about nine of ten calls within their limits. Loads are
shares of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from evaluators.serving.core.calls import Request
from evaluators.serving.core.costs import SECOND
from evaluators.serving.core.metrics import Objective
from evaluators.serving.core.simulation import Engine, Scenario
from evaluators.serving.episode.cluster import member, stretched
from evaluators.serving.episode.problem import Problem
from evaluators.serving.episode.specs import Spec
from evaluators.serving.episode.workload import Part, instance, objective, requests
from evaluators.task import Instance

DECISION_SECONDS = 0.001
"""Processor time of a decision, s."""
ROUND = SECOND // 2
"""How often roles may change, ps."""
POLL = SECOND // 100
UNTIL = 60 * SECOND
"""An idle engine asks again after POLL; what has not ended UNTIL after the last arrival never does. In ps."""
BURSTS = 1.5
"""Coefficient of variation of the gaps between arrivals of online calls."""
OFFLINE = (20.0, 20.0)
"""Limits of offline calls, s: the first token, and each next one."""
LESS, MORE = 0.1, 1.9


def _drift(short: str, long: str, cycle: tuple[float, ...], offline: str = "azure-conv") -> tuple[Part, ...]:
    """Two online parts, one of which is many calls when the other is few; their limits are those of the cluster."""
    other = tuple(LESS + MORE - level for level in cycle)
    return (
        Part(short, 0.65, 1.0, 1.0, BURSTS, cycle),
        Part(long, 0.2, 1.0, 1.0, BURSTS, other),
        Part(offline, 0.15, *OFFLINE),
    )


WORKLOADS: dict[str, tuple[Part, ...]] = {
    "falling": _drift("azure-code", "sharegpt", (MORE, LESS)),
    "rising": _drift("azure-code", "sharegpt", (LESS, MORE)),
    "waves": _drift("azure-code", "sharegpt", (MORE, LESS, MORE, LESS)),
    "steady": _drift("azure-code", "sharegpt", (1.0,)),
    "papers": _drift("arxiv", "sharegpt", (LESS, MORE)),
}


@dataclass(frozen=True)
class Cluster:
    """A model on cards, an instance on each, and the limits of online calls there, s."""

    model: str
    cards: tuple[str, ...]
    ttft: float
    tbt: float


CLUSTERS: dict[str, Cluster] = {
    "a100": Cluster("qwen3-32b", ("a100",) * 6, 3.0, 0.16),
    "l40s": Cluster("llama-3.1-8b", ("l40s",) * 6, 1.5, 0.065),
    "h100": Cluster("qwen3-32b", ("h100",) * 4, 1.5, 0.08),
    "llama3": Cluster("llama-3.1-8b", ("a100",) * 5, 1.5, 0.055),
    "rtx": Cluster("qwen3-32b", ("rtx-pro-6000",) * 6, 3.0, 0.18),
    "a100-h100": Cluster("qwen3-32b", ("a100",) * 3 + ("h100",) * 3, 2.0, 0.16),
}
CACHE = 16384
"""Tokens that the cache of an instance holds at most."""
SATURATION: dict[tuple[str, str], float] = {
    ("falling", "a100"): 3.5, ("waves", "a100"): 3.5, ("steady", "a100"): 4.1,
    ("falling", "l40s"): 11, ("waves", "l40s"): 11, ("steady", "l40s"): 9.9,
    ("rising", "h100"): 3.5, ("waves", "h100"): 3.8, ("steady", "h100"): 5,
    ("rising", "llama3"): 11, ("waves", "llama3"): 12, ("steady", "llama3"): 14,
    ("papers", "rtx"): 0.94, ("rising", "rtx"): 3.4, ("waves", "rtx"): 4.5,
    ("papers", "a100-h100"): 1.6, ("rising", "a100-h100"): 5, ("waves", "a100-h100"): 7.5,
}  # fmt: skip


def make(spec: Spec) -> Instance:
    """The instance of a specification."""
    load = SATURATION[spec.workload, spec.engine] * spec.load / 100
    posed_ = posed(spec.workload, spec.engine, load, spec.calls, spec.seed)
    return instance(spec.id, spec.group, posed_, DECISION_SECONDS)


def posed(workload: str, cluster_name: str, load: float, calls: int, seed: int) -> Problem:
    """About ``calls`` calls of a workload, ``load`` a second, for a cluster."""
    cluster, parts = CLUSTERS[cluster_name], WORKLOADS[workload]
    online = objective(cluster.ttft, cluster.tbt)
    limits = tuple(online if (p.ttft, p.tbt) != OFFLINE else objective(*OFFLINE) for p in parts)
    engines = [member(cluster.model, name, CACHE) for name in cluster.cards]
    return problem(engines, stretched(requests(parts, calls, load, seed), load), limits)


def problem(
    engines: Sequence[Engine], calls: tuple[Request, ...], objectives: tuple[Objective, ...]
) -> Problem:
    """Engines serve calls; the first half of them, and not the odd one, begin for prefill alone. The log has room for
    where each call goes and is handed to, three times, and for roles that all change in every round in which there
    are calls, of which there are as many as the run has, and not more than its tokens take: one of an output an eighth
    of a second, 512 of a prompt half a second. Once it is full, roles stay."""
    alone = len(engines) // 2
    members = tuple(replace(e, prefill=n < alone) for n, e in enumerate(engines))
    rounds = (calls[-1].arrival + UNTIL) // ROUND + 1
    rounds = min(rounds, (UNTIL // ROUND) + sum(c.output // 4 + c.prompt // 512 + 1 for c in calls))
    entries = 2 + 8 * len(calls) + rounds * (1 + len(engines))
    scenario = Scenario(members, calls, poll=POLL, control=ROUND, until=UNTIL)
    return Problem(scenario, objectives, entries)
