"""A reference policy that knows what no engine knows: which calls will come, how long each will be, and what an
iteration will take.

Roles follow the work of the next seconds: what prompts will take of the instances, and what share of the cache calls
will hold that generate. A call goes where its first token comes soonest, and where none is in time to the longest
queue. It is handed to the instance whose calls will leave the most of the cache free; where they would come to fill it
everywhere, it may go on where it is. Of several orders, and of every fixed number of instances for prefill alone, the
best is taken for each instance, in hindsight. That is a strong policy, not a bound.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from evaluators.serving.core.calls import Call
from evaluators.serving.core.costs import SECOND
from evaluators.serving.core.instance import Instance as Server
from evaluators.serving.core.simulation import played
from evaluators.serving.core.views import ClusterView, StepView
from evaluators.serving.episode.cluster import peak
from evaluators.serving.episode.problem import Problem, decode
from evaluators.serving.episode.referee import share
from evaluators.serving.pd.simulator import CHUNK, OFFLINE, may_decode, queued, stepped
from evaluators.task import Instance

HORIZONS = (3 * SECOND, 8 * SECOND)
"""How far the work is foreseen, ps."""
WEIGHTS = (1.0, 2.0)
"""What an instance's time on prompts weighs against its cache."""
LEFT = (SECOND // 2, 1 << 62)
"""How long the online calls of an instance may still generate when it turns to prefill, ps."""


@dataclass(frozen=True)
class Order:
    """``alone``: so many instances for prefill alone throughout; or as many as the work of the next ``horizon`` ps
    wants, with a ``weight`` of prompts, each turned when its calls have no more than ``left`` ps to go. ``stays``:
    whether a call may go on where its prompt was computed."""

    alone: int = 0
    horizon: int = 0
    weight: float = 1.0
    left: int = 1 << 62
    stays: bool = True


def orders(instances: int) -> Iterator[Order]:
    """What is tried on a cluster of so many instances."""
    for stays in (False, True):
        yield from (Order(alone=n, stays=stays) for n in range(1, instances))
        for horizon, weight, left in product(HORIZONS, WEIGHTS, LEFT):
            yield Order(0, horizon, weight, left, stays)


def score(instance: Instance) -> float:
    """The share of calls within their limits under the best order, in per cent."""
    problem = decode(instance.payload)
    runs = (played(problem.scenario, Knowing(problem, o)) for o in orders(len(problem.scenario.engines)))
    return max(100.0 * share(problem, run) for run in runs)


@dataclass(frozen=True)
class Knowing:
    """The policy, on the core itself."""

    problem: Problem
    order: Order

    @cached_property
    def _offline(self) -> list[bool]:
        return [o.tbt >= OFFLINE for o in self.problem.objectives]

    @cached_property
    def _arrivals(self) -> list[int]:
        return [r.arrival for r in self.problem.scenario.requests]

    @cached_property
    def _sent(self) -> dict[int, tuple[Call, Server]]:
        """Where calls were handed to last, by their number."""
        return {}

    def step(self, view: StepView) -> Any:
        return stepped(view, self._offline)

    def control(self, view: ClusterView) -> list[tuple[int, bool]]:
        """One instance at most changes its role in a round."""
        alone = [s for s in view.instances if s.prefill]
        turning = self._turning(view)
        if turning is not None:
            return [(turning.number, True)] if self._time_left(turning) <= self.order.left else []
        if len(alone) > (self.order.alone or self._wanted(view)):
            least = min(alone, key=lambda s: (queued(s), s.number))
            return [(least.number, False)]
        return []

    def _turning(self, view: ClusterView) -> Server | None:
        """The instance that is to turn to prefill next: the one that is done first."""
        others = [s for s in view.instances if not s.prefill]
        wanted = self.order.alone or self._wanted(view)
        if len(view.instances) - len(others) >= wanted or len(others) < 2:
            return None
        return min(others, key=lambda s: (self._time_left(s), s.number))

    def _time_left(self, server: Server) -> int:
        """How long the online calls of an instance will still generate, ps."""
        pace = server.costs.stretch(8, 8 * 1024)[0]
        calls = zip(server.decoding.values(), left(server), strict=True)
        return max((rest * pace for c, rest in calls if not self._offline[c.request.kind]), default=0)

    def _wanted(self, view: ClusterView) -> int:
        """How many instances the prompts of the time to come want."""
        servers, now, horizon = view.instances, view.time, self.order.horizon
        requests = self.problem.scenario.requests
        coming = requests[bisect_right(self._arrivals, now) : bisect_left(self._arrivals, now + horizon)]
        token = sum(s.costs.mixture(0, 0, ((CHUNK, 0),)) for s in servers) / len(servers) / CHUNK
        prompts = (sum(map(queued, servers)) + sum(r.prompt for r in coming)) * token
        pace = sum(s.costs.stretch(8, 8 * 1024)[0] for s in servers) / len(servers)
        cache = sum(s.blocks * s.block for s in servers) / len(servers)
        held = 0.0
        for server in servers:
            step = server.step + server.progress(now)
            for call, rest in zip(server.decoding.values(), left(server), strict=True):
                held += min(rest * pace, horizon) * (call.length + step - call.joined + rest / 2)
        waiting = [c.request for s in servers for c in (*s.prefilling, *s.waiting, *s.expected)]
        for request in (*waiting, *coming):
            time = max(now + horizon - max(request.arrival, now), 0)
            held += min(request.output * pace, time) * (request.prompt + request.output / 2)
        prompts *= self.order.weight
        total = prompts + held / cache
        most = len(servers) - 1
        return min(max(round(len(servers) * prompts / total), 1), most) if total else 1

    def route(self, view: ClusterView) -> int:
        """The instance of a call that has come."""
        call = view.call
        assert call is not None
        able = [s for s in view.instances if s.prefill] or list(view.instances)
        soon = [(call.length + queued(s)) * s.costs.mixture(0, 0, ((CHUNK, 0),)) / CHUNK for s in able]
        best = min(range(len(able)), key=soon.__getitem__)
        if soon[best] > self.problem.objectives[call.request.kind].ttft:
            best = max(range(len(able)), key=soon.__getitem__)
        return able[best].number

    def hand(self, view: ClusterView) -> int:
        """The instance where a call goes on."""
        call, now = view.call, view.time
        assert call is not None
        turning = self._turning(view)

        def spare(server: Server) -> tuple[bool, bool, float, int]:
            size = server.blocks * server.block
            coming = [c for c, to in self._sent.values() if to is server and c.instance != server.number]
            most = peak(server, now, call, *coming)
            return most <= size, server is not turning, -most / size, -server.number

        best = max((s for s in view.instances if not s.prefill), key=spare)
        if self.order.stays and not spare(best)[0] and may_decode(view.instances[call.instance], call):
            return call.instance
        self._sent[call.number] = call, best
        return best.number


def left(server: Server) -> list[int]:
    """Tokens that each call that generates at an instance has still to make, as of its last boundary."""
    return [_left(call, server.step) for call in server.decoding.values()]


def _left(call: Call, step: int) -> int:
    return call.request.output - call.generated - (step - call.joined)
