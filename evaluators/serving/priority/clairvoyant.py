"""A reference policy that knows what no engine knows: how long each output will be, and how long prompts take.

Each order weighs what is left of a call's time, its prompt and its output; calls that can no longer be in time come
last. For each instance the best order is taken, in hindsight. That is a strong policy, not a bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

from evaluators.serving.core.calls import Call
from evaluators.serving.core.costs import SECOND
from evaluators.serving.core.simulation import played
from evaluators.serving.core.views import StepView
from evaluators.serving.episode.problem import Problem, decode
from evaluators.serving.episode.referee import share
from evaluators.serving.episode.steps import CHUNK
from evaluators.serving.priority.simulator import ordered
from evaluators.task import Instance

PROMPT = (0.0, 1e-3, 4e-3, 1.0)
OUTPUT = (0.0, 4e-3, 1.0)
"""Seconds of time left that a token weighs."""
SPARE = (1.0, 2.5)
"""How many times as long as alone a prompt is taken to need, when it is asked whether it can be in time."""


def score(instance: Instance) -> float:
    """The share of calls within their limits under the best order, in per cent."""
    problem = decode(instance.payload)
    return 100.0 * max(
        share(problem, played(problem.scenario, Knowing(problem, *weights)))
        for weights in product(PROMPT, OUTPUT, SPARE)
    )


@dataclass(frozen=True)
class Knowing:
    """The policy, on the core itself."""

    problem: Problem
    prompt: float
    output: float
    spare: float

    def step(self, view: StepView) -> Any:
        """A plan of the core."""
        waiting = view.instance.waiting
        keys = [(self._late(c, view.time), self._weight(c, view.time)) for c in waiting]
        return ordered(view, sorted(range(len(waiting)), key=keys.__getitem__))

    def _left(self, call: Call, now: int) -> int:
        """Time until the next token of a call is due, ps."""
        objective = self.problem.objectives[call.request.kind]
        return (call.last + objective.tbt if call.first >= 0 else call.request.arrival + objective.ttft) - now

    def _late(self, call: Call, now: int) -> bool:
        """Whether the call cannot be in time any more, or has not been."""
        if call.worst > self.problem.objectives[call.request.kind].tbt:
            return True
        costs, iterations = self.problem.engine.costs, -(-call.length // CHUNK)
        alone = iterations * costs.mixture(0, 0, ((min(call.length, CHUNK), 0),))
        return self._left(call, now) < self.spare * alone

    def _weight(self, call: Call, now: int) -> float:
        left = call.request.output - call.generated
        return self._left(call, now) / SECOND + self.prompt * call.length + self.output * left
