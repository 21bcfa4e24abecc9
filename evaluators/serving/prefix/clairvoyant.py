"""A reference policy that knows what no engine knows: how long each call will generate, what that takes, and how it all
ends.

A call costs what it still has to compute, its share of a prefix that others wait for, and what it will generate; the
cheapest begins next, and those that can no longer be in time come last. Of the orders that different weights give the
best one is taken for each instance, in hindsight, and improved: costs of single calls and of calls with one prefix are
changed by chance, and a change stays where no fewer calls are in time. That is a strong policy, not a bound.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.serving.core.costs import SECOND
from evaluators.serving.core.simulation import played
from evaluators.serving.core.views import StepView
from evaluators.serving.episode.problem import Problem, decode
from evaluators.serving.episode.referee import share
from evaluators.serving.episode.steps import CHUNK, chunked
from evaluators.serving.prefix.simulator import SHOWN, Eyes, Ordering, beginning
from evaluators.task import Instance

Floats = npt.NDArray[np.float64]
CROWD = 32
OUTPUT = (0.0, 0.3, 1.0, 3.0)
"""What a token of output costs, in its part of an iteration with CROWD others."""
TOGETHER = (0.0, 1.0, 2.0)
"""A prefix that has to be computed costs each of those that share it 1/calls^together of it."""
CHANGES = 40
FACTORS = (0.1, 0.5, 2.0, 10.0)
"""How often costs are changed by chance, and by what."""


def score(instance: Instance) -> float:
    """The share of calls within their limits under the best order, in per cent."""
    problem = decode(instance.payload)
    factors = np.ones(len(problem.scenario.requests))

    def worth(weights: tuple[float, float], factors: Floats) -> float:
        return share(problem, played(problem.scenario, _Knowing(problem, *weights, factors)))

    best, weights = max((worth(w, factors), w) for w in product(OUTPUT, TOGETHER))
    draw = np.random.default_rng(0)
    for _ in range(CHANGES if best < 1 else 0):
        changed = factors.copy()
        changed[_together(problem, draw)] *= draw.choice(FACTORS)
        if (found := worth(weights, changed)) >= best:
            best, factors = found, changed
    return 100.0 * best


def _together(problem: Problem, draw: np.random.Generator) -> list[int]:
    """A call by chance, or it and all that have the same prefix up to a depth by chance."""
    requests = problem.scenario.requests
    one = int(draw.integers(len(requests)))
    prefix = requests[one].prefix
    if not prefix or draw.random() < 0.5:
        return [one]
    shared = prefix[int(draw.integers(len(prefix)))]
    return [number for number, r in enumerate(requests) if shared in r.prefix]


class _Knowing:
    """The policy of a pair of weights, and of a factor for the costs of each call."""

    def __init__(self, problem: Problem, output: float, together: float, factors: Floats) -> None:
        costs, requests, engine = problem.engine.costs, problem.scenario.requests, problem.engine
        length = sum(r.prompt for r in requests) // len(requests)
        self._token = costs.mixture(0, 0, ((CHUNK, length // 2),)) / CHUNK / SECOND
        self._step = costs.stretch(CROWD, engine.blocks * engine.block)[0] / SECOND
        self._outputs = np.array([r.output for r in requests])
        self._batch = requests[0].arrival == requests[-1].arrival
        self._output, self._power, self._factors = output, together, factors
        self._eyes, self._desk = Eyes(problem), Ordering(problem)

    def step(self, view: StepView) -> Any:
        """A plan of the core."""
        if not self._desk.decides(view):
            return self._desk.act(view, ())
        begin = beginning(view, np.argsort(self._costs(view), kind="stable").tolist())
        return chunked(view, [view.started + place for place in begin])

    def _costs(self, view: StepView) -> Floats:
        """Seconds that each of the waiting calls costs."""
        left, _, cached, coming, sharing, common, _, slack, *_ = self._eyes.view(view)
        shown = view.instance.waiting[:SHOWN]
        numbers = [c.number for c in shown]
        outputs = self._outputs[numbers] - np.array([c.generated for c in shown])
        missing = np.clip(common - cached - coming, 0, None)
        alone = left - np.clip(common - cached, 0, None)
        tokens = alone + missing / sharing**self._power
        costs = tokens * self._token + self._output * outputs * self._step / CROWD
        needs = (alone + missing) * self._token + self._batch * outputs * self._step
        found: Floats = costs * self._factors[numbers] + np.where(needs > slack, 1e6, 0.0)
        return found
