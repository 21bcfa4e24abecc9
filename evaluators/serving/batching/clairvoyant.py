"""A reference policy that knows what no engine knows: how long each call will be and what an iteration will take.

Each iteration is filled to the token that keeps it within the limits of the calls that still meet theirs; calls that
can no longer be in time come last. Of four orders the best one is taken for each instance, in hindsight. That is a
strong policy, not a bound.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from evaluators.serving.core.calls import Call
from evaluators.serving.core.simulation import played
from evaluators.serving.core.views import StepView
from evaluators.serving.episode.problem import Problem, decode
from evaluators.serving.episode.referee import share
from evaluators.task import Instance

Order = Callable[[Call], float]
ORDERS: tuple[Order, ...] = (
    lambda call: call.request.arrival,
    lambda call: call.length - call.computed,
    lambda call: call.length - call.computed + call.request.output,
    lambda call: call.request.output,
)


def score(instance: Instance) -> float:
    """The share of calls within their limits under the best order, in per cent."""
    problem = decode(instance.payload)
    return max(100.0 * share(problem, played(problem.scenario, _Knowing(problem, order))) for order in ORDERS)


@dataclass(frozen=True)
class _Knowing:
    problem: Problem
    order: Order

    def step(self, view: StepView) -> tuple[Sequence[tuple[int, int]], tuple[int, ...], int]:
        """A plan of the core."""
        limit, queue = self._limit(view), view.queue
        free, places, block = view.free, view.places, view.block
        chunks: list[tuple[int, int]] = []
        parts: list[tuple[int, int]] = []
        budget = view.budget
        for place in sorted(
            range(len(queue)), key=lambda p: (self._late(queue[p], view.time), self.order(queue[p]))
        ):
            call = queue[place]
            if place >= view.started and places <= 0:
                continue
            most = min(budget, call.length - call.computed, (call.blocks + free) * block - call.computed)
            tokens = self._fitting(view, parts, call.computed, most, limit)
            if tokens < 1:
                continue
            parts.append((tokens, call.computed))
            chunks.append((place, tokens))
            free -= -(-(call.computed + tokens) // block) - call.blocks
            budget -= tokens
            places -= place >= view.started
        stuck = not chunks and not view.sequences and view.started
        return chunks, (view.started - 1,) if stuck else (), 1

    def _limit(self, view: StepView) -> int:
        """How long the iteration may take: the least limit of the decoding calls that still meet theirs, ps."""
        objectives = self.problem.objectives
        limits = [
            objectives[c.request.kind] for c in view.decoding if objectives[c.request.kind].ttft >= c.ttft
        ]
        return min((o.tbt for o in limits), default=1 << 62)

    def _late(self, call: Call, now: int) -> bool:
        """Whether its first token can no longer be in time."""
        left = call.length - call.computed
        alone = self.problem.engine.costs.mixture(0, 0, ((left, call.computed),))
        return now + alone > call.request.arrival + self.problem.objectives[call.request.kind].ttft

    def _fitting(
        self, view: StepView, parts: list[tuple[int, int]], computed: int, most: int, limit: int
    ) -> int:
        """The most tokens of one more chunk with which the iteration stays within ``limit``, by bisection."""
        cost, low, high = self.problem.engine.costs.mixture, 0, most
        while low < high:
            middle = (low + high + 1) // 2
            if cost(view.sequences, view.kv, [*parts, (middle, computed)]) <= limit:
                low = middle
            else:
                high = middle - 1
        return low
