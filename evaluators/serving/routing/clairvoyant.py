"""A reference policy that knows what no engine knows: how long each call will be and what an iteration will take.

A call goes where it gets its first token soonest, of the instances where that is in time and where the calls that are
there will never fill the cache beyond a share of it. Where there is none it is given up: it goes to the instance with
the longest queue, so that the others stay in time. Calls migrate from instances that will run full. Of several limits
and shares the best is taken for each instance, in hindsight. That is a strong policy, not a bound.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

from evaluators.serving.core.calls import Call
from evaluators.serving.core.instance import Instance as Server
from evaluators.serving.core.simulation import played
from evaluators.serving.core.views import ClusterView, StepView
from evaluators.serving.episode.cluster import peak
from evaluators.serving.episode.problem import Problem, decode
from evaluators.serving.episode.referee import share
from evaluators.serving.episode.steps import CHUNK
from evaluators.serving.routing.simulator import SENT, stepped
from evaluators.task import Instance


@dataclass(frozen=True)
class Order:
    """``late``: what share of its limit the first token may take; ``full``: what share of the cache the calls of an
    instance may come to fill; ``moves``: whether calls migrate."""

    late: float
    full: float
    moves: bool


ORDERS = tuple(Order(*values) for values in product((0.6, 1.0, 1e9), (0.8, 1.0), (False, True)))


def score(instance: Instance) -> float:
    """The share of calls within their limits under the best order, in per cent."""
    problem = decode(instance.payload)
    runs = (played(problem.scenario, _Knowing(problem, order)) for order in ORDERS)
    return max(100.0 * share(problem, run) for run in runs)


@dataclass(frozen=True)
class _Knowing:
    problem: Problem
    order: Order

    def step(self, view: StepView) -> Any:
        return stepped(view)

    def route(self, view: ClusterView) -> int:
        """The instance of a call that has come."""
        call, servers = view.call, view.instances
        assert call is not None
        soonest = [first_token(s, call, view.time) for s in servers]
        limit = self.order.late * self.problem.objectives[call.request.kind].ttft
        able = [
            n
            for n, s in enumerate(servers)
            if soonest[n] <= limit and peak(s, view.time, call) <= self.order.full * s.blocks * s.block
        ]
        if able:
            return min(able, key=soonest.__getitem__)
        return max(range(len(servers)), key=soonest.__getitem__)

    def control(self, view: ClusterView) -> list[tuple[int, int, int]]:
        """From instances that will run full the calls that would lose their places first go where they do not."""
        servers, now, found = view.instances, view.time, []
        spare = [s.blocks * s.block - peak(s, now) for s in servers] if self.order.moves else []
        for source in (s for s, left in zip(servers, spare, strict=False) if left < 0):
            calls = [(place, c) for place, c in enumerate(source.decoding.values()) if not c.reserved]
            for place, call in sorted(calls, key=lambda row: -row[1].entered)[:SENT]:
                to = max(range(len(servers)), key=spare.__getitem__)
                room = peak(servers[to], now, call) <= servers[to].blocks * servers[to].block
                if room and servers[to].has_room(-(-call.length // source.block) + 64, now):
                    found.append((source.number, place, to))
                    spare[to] = 0
        return found


def first_token(server: Server, call: Call, now: int) -> float:
    """How long a call would wait for its first token while nothing ends and the memory suffices, ps."""
    tokens = call.length + sum(c.length - c.computed for c in server.prefilling + server.waiting)
    decodes = len(server.decoding)
    chunk = max(CHUNK - decodes, 1)
    kv, _ = server.peek(now)
    return tokens / chunk * server.costs.mixture(decodes, kv, ((chunk, 0),))
