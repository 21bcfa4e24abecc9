"""The simulator of ``serving-routing`` as policies see it: several engines; a call that comes goes to one of them, and
every so often those that generate may go on elsewhere.

Runs on the trusted side for every score of record, and inside the sandbox for the quick screen and the comparison of
event logs. Besides numpy it imports the core of the simulator and the loop that asks, and knows no references.
"""

from collections.abc import Collection, Generator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.serving.core.calls import Call
from evaluators.serving.core.costs import SECOND
from evaluators.serving.core.instance import Instance
from evaluators.serving.core.plans import Refused
from evaluators.serving.core.views import ClusterView, StepView
from evaluators.serving.episode.desk import Entries, View, play, preface
from evaluators.serving.episode.problem import Problem, decode
from evaluators.serving.episode.steps import CHUNK, chunked, fitting, left_over

HOOKS = ("migrate",)
WATERMARK = 0.01
"""Share of the cache that stays free when a call begins."""
SENT = 2
"""Calls that an instance may send off in a round."""


def simulate(payload: bytes, hooks: Collection[str]) -> Generator[Any, Any, bytes]:
    """Serve the calls of ``payload`` (:mod:`evaluators.serving.episode.problem`). Yields "route" with what
    :data:`evaluators.serving.routing.task.INTERFACE` says whenever a call has come; gets float64[n], and the highest
    number takes it. Yields "migrate" in each round in which calls generate, to those that have it, and gets where they
    should be. Ends with the event log."""
    problem, known = decode(payload), frozenset(hooks)
    return play(problem, Routing(problem, known), preface(known, HOOKS))


class Routing:
    """The :class:`~evaluators.serving.episode.desk.Desk` of the task. The entry of a route: (number of the instance
    from 1, 0); those of a round: (number of a call, number of the instance where it goes), both from 1."""

    idle_advice = ""

    def __init__(self, problem: Problem, hooks: frozenset[str]) -> None:
        self._migrates = "migrate" in hooks
        self._eyes = _Eyes(problem)
        self.saw = self._eyes.saw

    def decides(self, view: StepView | ClusterView) -> bool:
        """Whether a call has come, or there is a round in which one could migrate."""
        if isinstance(view, StepView):
            return False
        return view.hook == "route" or (self._migrates and bool(movable(view.instances)))

    def ask(self, view: ClusterView) -> tuple[str, View]:
        if view.call is not None:
            return "route", self._eyes.route(view, view.call)
        return "migrate", self._eyes.migrate(view)

    def answer(self, view: ClusterView, reply: npt.NDArray[Any]) -> Entries:
        if view.call is not None:
            return [(int(reply.argmax()) + 1, 0)]
        return [(call.number + 1, to.number + 1) for call, to in moved(view, reply.tolist())]

    def act(self, view: StepView | ClusterView, entries: Entries) -> Any:
        """Once the log is full, calls go around."""
        if isinstance(view, StepView):
            return stepped(view)
        if view.call is not None:
            return _named(view, entries) if entries else view.call.number % len(view.instances)
        places = {
            call.number + 1: (instance.number, place)
            for instance in view.instances
            for place, call in enumerate(instance.decoding.values())
        }
        if any(call not in places or not 1 <= to <= len(view.instances) for call, to in entries):
            raise Refused("the event log moves a call that does not generate then, or to no instance")
        return [(*places[call], to - 1) for call, to in entries]


def _named(view: ClusterView, entries: Entries) -> int:
    if len(entries) != 1 or entries[0][1] or not 1 <= entries[0][0] <= len(view.instances):
        raise Refused("the event log sends a call to no instance")
    return entries[0][0] - 1


def stepped(view: StepView) -> Any:
    """What an engine does: Sarathi-Serve's iterations, in which a call begins when the free cache holds its whole
    prompt and those of all before it, beside a little (vLLM's watermark). So the first of a queue can wait for
    memory."""
    instance, started = view.instance, view.started
    _, free = left_over(view)
    most = fitting(instance.waiting, instance.block, free - int(WATERMARK * instance.blocks))
    if not (most or started or view.sequences):
        most = 1  # nothing else will ever free any
    return chunked(view, range(started, started + most))


def movable(instances: Sequence[Instance]) -> list[Call]:
    """The calls that generate and are not on their way, by instance, in the order in which they began."""
    return [call for i in instances for call in i.decoding.values() if not call.reserved]


def moved(view: ClusterView, wishes: Sequence[int]) -> list[tuple[Call, Instance]]:
    """What can be done of where calls should be: in their order, at most SENT from each instance, and as long as there
    is a place and cache where they go."""
    instances, now = view.instances, view.time
    spare = [i.spare(now) for i in instances]
    places = [i.cap - i.sequences for i in instances]
    left = [SENT] * len(instances)
    found = []
    for call, to in zip(movable(instances), wishes, strict=True):
        here = call.instance
        if to == here or not 0 <= to < len(instances) or not left[here] or places[to] < 1:
            continue
        blocks = -(-held(call, instances[here], now) // instances[to].block)
        if blocks > spare[to]:
            continue
        spare[to] -= blocks
        places[to] -= 1
        left[here] -= 1
        found.append((call, instances[to]))
    return found


def held(call: Call, instance: Instance, now: int) -> int:
    """Tokens that a call that generates holds in the cache."""
    return call.length + instance.step + instance.progress(now) - call.joined


class _Eyes:
    """Makes the views of one simulation."""

    def __init__(self, problem: Problem) -> None:
        engines, limits = problem.scenario.engines, problem.objectives
        self._limits = limits
        slowest = max(o.ttft for o in limits)
        self._high = [int(o.ttft < slowest) for o in limits]
        self._classes = any(self._high)
        self._capacity = np.array([e.blocks * e.block for e in engines], np.int64)
        self._speed = np.array(
            [CHUNK * SECOND / e.costs.mixture(0, 0, ((CHUNK, 0),)) for e in engines], np.float64
        )
        self._took = [0] * len(engines)

    def saw(self, instance: int, _: int, first: int, growth: int, count: int, __: int) -> None:
        """Told of each stretch of iterations when it ends."""
        self._took[instance] = first + growth * (count - 1)

    def route(self, view: ClusterView, call: Call) -> View:
        limits = self._limits[call.request.kind]
        queued, *others = self._state(view)
        return (
            view.prompt,
            self._high[call.request.kind],
            limits.ttft / SECOND,
            limits.tbt / SECOND,
            queued,
            *others,
            view.time / SECOND,
        )

    def migrate(self, view: ClusterView) -> View:
        instances, now = view.instances, view.time
        calls = movable(instances)
        rows = []
        for call in calls:
            here = instances[call.instance]
            steps = here.step + here.progress(now) - call.joined
            kind = self._high[call.request.kind]
            rows.append((call.instance, call.length + steps, call.generated + steps, kind))
        heads = [i.waiting[0].length if i.waiting else 0 for i in instances]
        return (
            *np.array(rows, np.int64).T.copy(),
            np.array(heads, np.int64),
            *self._state(view),
            now / SECOND,
        )

    def _state(self, view: ClusterView) -> tuple[npt.NDArray[Any], ...]:
        """What both functions are told of each instance."""
        instances, now = view.instances, view.time
        counts = [
            (
                sum([c.length - c.computed for c in i.prefilling]) + sum([c.length for c in i.waiting]),
                len(i.waiting),
                i.sequences,
                self._urgent(i) if self._classes else 0,
                max(i.spare(now), 0) * i.block,
            )
            for i in instances
        ]
        queued, waiting, running, high, free = np.array(counts, np.int64).T.copy()
        pace = np.array([self._last(i, now) / SECOND for i in instances])
        return queued, waiting, running, high, free, self._capacity, self._speed, pace

    def _urgent(self, instance: Instance) -> int:
        calls = (*instance.decoding.values(), *instance.prefilling, *instance.waiting)
        return sum([self._high[c.request.kind] for c in calls])

    def _last(self, instance: Instance, now: int) -> int:
        """How long the iteration took that ended last, ps."""
        _, first, growth, _, _ = instance.under_way
        done = instance.progress(now)
        return first + growth * (done - 1) if done else self._took[instance.number]
