"""A reference policy that knows what no engine knows: how long each call will be.

A call begins when the cache holds all that runs, with it, block for block and iteration for iteration, to the end of
each. That is a strong policy, not a bound: no call ever loses its cache, and where one may the queue moves on sooner.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from evaluators.serving.admission.simulator import plan
from evaluators.serving.core.simulation import played
from evaluators.serving.core.views import StepView
from evaluators.serving.episode.problem import decode
from evaluators.serving.episode.referee import share
from evaluators.task import Instance


def score(instance: Instance) -> float:
    """The share of calls within their limits, in per cent."""
    problem = decode(instance.payload)
    return 100.0 * share(problem, played(problem.scenario, Knowing()))


class Knowing:
    """The policy, on the core itself."""

    def step(self, view: StepView) -> Any:
        """A plan of the core."""
        return plan(view, self._fitting(view))

    def _fitting(self, view: StepView) -> int:
        """How many of the first waiting calls may begin."""
        instance, step = view.instance, view.instance.step
        rows = [
            (c.length + step - c.joined, c.request.output - c.generated - step + c.joined)
            for c in instance.decoding.values()
        ]
        rows += [(c.length, c.request.output - c.generated) for c in instance.prefilling]
        for begin, call in enumerate(instance.waiting):
            rows.append((call.length, call.request.output - call.generated))
            if peak(rows, instance.block) > instance.blocks:
                return begin
        return len(instance.waiting)


def peak(rows: list[tuple[int, int]], block: int) -> int:
    """The most blocks that calls of (tokens, tokens still to come) hold at once, when they all make one an
    iteration."""
    held, left = np.array(rows, np.int64).T
    there = left[None, :] >= left[:, None]
    blocks = -(-(held[None, :] + left[:, None]) // block)
    return int((there * blocks).sum(axis=1).max())
