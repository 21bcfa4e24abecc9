"""Whether an order of policies depends on the timing: six policies on the search split of `serving`, its coefficients
moved by 10 %.

    python benchmarks/serving_order.py [--tuned] [--swept | --first] [--draws 20]

Each coefficient by itself is multiplied by 0.9 and by 1.1, then all of them are, then in each draw every one by either;
loads, caches and limits stay as they are. A line of the table is a setting: how much longer its iterations take than as
shipped (64 decodes that hold 1,024 tokens each, alone and beside a chunk of 512 behind as many, as the payloads have
it), the six scores, and the pairs that stand in another order than as shipped. An order is told when the 95 % interval
of the paired difference, stratified by class, leaves out 0. `--tuned` takes the parameters that ship. `--swept` is in
the manner of Vidur's capacity search: Llama-2-7B on A100 alone, and each instance under limits from tight to loose, so
that no single one of them decides. `--first` orders by the mean time to the first token on that engine, which no limit
cuts off (scores are seconds, negative). It needs no data. Exit code 1 when a pair that is told as shipped changes
places.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from baseline_scores import judgements

from discovery.statistics import paired_interval
from evaluators.registry import load
from evaluators.serving.batching.instances import ENGINES, make
from evaluators.serving.batching.splits import part
from evaluators.serving.batching.task import Serving
from evaluators.serving.core.costs import SECOND, Costs
from evaluators.serving.core.metrics import Objective
from evaluators.serving.episode.problem import decode, encode
from evaluators.serving.episode.specs import Spec
from evaluators.serving.timing import COEFFICIENTS, timing
from evaluators.task import Instance, InstanceSet, Judgement, aggregate

POLICIES = ("paced", "deadline-first", "sarathi", "shortest-first", "vllm-fcfs", "orca")
MOVED = tuple(name for name in COEFFICIENTS if name not in ("experts", "links"))
"""Those two are nothing on the engines of the split."""
FACTORS = (0.9, 1.1)
LIMITS = (0.7, 1.0, 1.4, 2.0, 3.0, 5.0)
"""What the limits of a swept instance are multiplied by."""
DECODES, CONTEXT, CHUNK = 64, 1024, 512

Factors = Mapping[str, float]
Pair = tuple[str, str]


def settings(draws: int) -> Iterator[tuple[str, Factors]]:
    """What the coefficients are multiplied by, by name."""
    yield "as shipped", {}
    for name in MOVED:
        yield from ((f"{name} × {factor}", {name: factor}) for factor in FACTORS)
    yield from ((f"all × {factor}", dict.fromkeys(MOVED, factor)) for factor in FACTORS)
    for draw in range(draws):
        drawn = np.random.default_rng(draw).choice(FACTORS, len(MOVED))
        yield f"draw {draw}", dict(zip(MOVED, drawn.tolist(), strict=True))


def moved(spec: Spec, factors: Factors, limit: float = 1.0) -> Instance:
    """An instance whose engine takes other times and, if wanted, whose calls have other limits."""
    shipped = make(spec)
    problem = decode(shipped.payload)
    costs = Costs.of(timing(*ENGINES[spec.engine]).scaled(factors))
    scenario = replace(problem.scenario, engines=(replace(problem.engine, costs=costs),))
    limits = tuple(Objective(round(o.ttft * limit), round(o.tbt * limit)) for o in problem.objectives)
    payload = encode(replace(problem, scenario=scenario, objectives=limits))
    name = shipped.id if limit == 1 else f"{shipped.id}-{limit:g}"
    return replace(shipped, id=name, payload=payload)


def specs(swept: bool) -> list[tuple[Spec, float]]:
    """The instances of the search split with what their limits are multiplied by."""
    if not swept:
        return [(spec, 1.0) for spec in part("search")]
    return [(spec, limit) for spec in part("search") if spec.engine == "llama2-a100" for limit in LIMITS]


def iterations(instances: InstanceSet) -> tuple[float, float]:
    """Mean times of an iteration of decodes and of the same beside a chunk, as the payloads have them, ps."""
    costs = [decode(i.payload).engine.costs for i in instances]
    kv = DECODES * CONTEXT
    alone = sum(c.stretch(DECODES, kv)[0] for c in costs) / len(costs)
    return alone, sum(c.mixture(DECODES, kv, ((CHUNK, CONTEXT),)) for c in costs) / len(costs)


@dataclass(frozen=True)
class Standing:
    """What the policies reach under a setting: of each the scores by instance."""

    instances: InstanceSet
    scores: Mapping[str, list[float]]

    def mean(self, policy: str) -> float:
        return aggregate(self.instances.instances, self.scores[policy])

    def ahead(self, a: str, b: str) -> int:
        """1 where a is told to be the better of two, -1 where b is, 0 where neither."""
        groups = [i.group for i in self.instances]
        _, low, high = paired_interval(self.scores[a], self.scores[b], groups, "maximize")
        return (low > 0) - (high < 0)

    def swapped(self, other: Standing) -> list[Pair]:
        """The pairs that stand in the other order there, the better one here first. Equals stand in none."""
        order = sorted(self.scores, key=self.mean, reverse=True)
        return [
            (a, b)
            for a, b in combinations(order, 2)
            if self.mean(a) > self.mean(b) and other.mean(a) < other.mean(b)
        ]


class First(Serving):
    """Judges by the mean time to the first token; a call that never has one waits to the end."""

    def judge(self, instance: Instance, answer: bytes) -> Judgement:
        run = self.referee.replayed(decode(instance.payload), answer)
        waits = [c.ttft if c.first >= 0 else run.end - c.request.arrival for c in run.calls]
        return Judgement(0.0, -sum(waits) / len(waits) / SECOND)


def measured(factors: Factors, tuned: bool = False, swept: bool = False, first: bool = False) -> Standing:
    """All policies on the search split under a setting."""
    task: Any = First({}) if first else load("serving")
    chosen = [(spec, 1.0) for spec, limit in specs(True) if limit == 1.0] if first else specs(swept)
    instances = InstanceSet("search", tuple(moved(spec, factors, limit) for spec, limit in chosen))
    found = {}
    for name in POLICIES:
        parameters = task.shipped_scores()[name].tuned_parameters if tuned else {}
        judged = judgements(task, task.baselines()[name].path, instances, parameters)
        found[name] = [j.score for j in judged]
    return Standing(instances, found)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tuned", action="store_true")
    kinds = parser.add_mutually_exclusive_group()
    kinds.add_argument("--swept", action="store_true")
    kinds.add_argument("--first", action="store_true")
    parser.add_argument("--draws", type=int, default=20)
    options = parser.parse_args()
    shipped = measured({}, options.tuned, options.swept, options.first)
    usual = iterations(shipped.instances)
    order = sorted(POLICIES, key=shipped.mean, reverse=True)
    told = {pair for pair in combinations(order, 2) if shipped.ahead(*pair)}
    print(f"{'':24}{'alone':>8}{'beside':>8}" + "".join(f"{p:>16}" for p in order))
    changed: dict[Pair, int] = {}
    largest = dict.fromkeys(order, 0.0)
    for name, factors in settings(options.draws):
        now = measured(factors, options.tuned, options.swept, options.first)
        longer = [
            f"{100 * (n / u - 1):+7.2f}%" for n, u in zip(iterations(now.instances), usual, strict=True)
        ]
        pairs = shipped.swapped(now)
        for a, b in pairs:
            changed[a, b] = changed.get((a, b), 0) + 1
        for p in order:
            largest[p] = max(largest[p], now.mean(p) - shipped.mean(p), key=abs)
        said = "; ".join(f"{b} before {a}{', told' if now.ahead(a, b) < 0 else ''}" for a, b in pairs)
        print(
            f"{name:24}{''.join(longer)}" + "".join(f"{now.mean(p):16.2f}" for p in order), said, flush=True
        )
    print(f"{'largest movement':40}" + "".join(f"{largest[p]:+16.2f}" for p in order))
    lost = told & changed.keys()
    print(
        f"{len(told)} of {len(POLICIES) * (len(POLICIES) - 1) // 2} pairs are told as shipped; not: ", end=""
    )
    print("; ".join(f"{a}, {b}" for a, b in combinations(order, 2) if (a, b) not in told))
    print("change places: " + "; ".join(f"{a}, {b} in {n} settings" for (a, b), n in changed.items()))
    print(f"told pairs that change places: {'; '.join(f'{a}, {b}' for a, b in sorted(lost)) or 'none'}")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
