"""The simulator of ``serving-pd`` as policies see it: several engines, some of them for prefill alone; every so often
their roles may change.

Runs on the trusted side for every score of record, and inside the sandbox for the quick screen and the comparison of
event logs. Besides numpy it imports the core of the simulator and the loop that asks, and knows no references.
"""

from bisect import bisect_left
from collections.abc import Collection, Generator, Iterator, Sequence
from itertools import accumulate
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
from evaluators.serving.episode.steps import NOTHING, filled

HOOKS = ("route", "hand")
CHUNK = 1024
"""Tokens of an iteration, of whatever role an instance is."""
WATERMARK = 0.01
"""Share of the cache that stays free when a call begins."""
OFFLINE = 10 * SECOND
"""A call that may wait so long between two tokens, in ps, is offline: it gives way to the others."""


def simulate(payload: bytes, hooks: Collection[str]) -> Generator[Any, Any, bytes]:
    """Serve the calls of ``payload`` (:mod:`evaluators.serving.episode.problem`). Yields "roles" with what
    :data:`evaluators.serving.pd.task.INTERFACE` says in each round in which there are calls; gets float64[n], and
    instances with a number above 0 are for prefill alone. Yields "route" when a call has come and "hand" when a prompt
    has ended on an instance for prefill alone, to those that have them, and gets float64[n], of which the highest
    counts. Ends with the event log."""
    problem, known = decode(payload), frozenset(hooks)
    return play(problem, Roles(problem, known), preface(known, HOOKS))


class Roles:
    """The :class:`~evaluators.serving.episode.desk.Desk` of the task. Entries are (number of an instance from 1, what):
    of those whose role changes 2 for prefill alone and 1 for the other, of the one that gets a call 0."""

    idle_advice = ""

    def __init__(self, problem: Problem, hooks: frozenset[str]) -> None:
        self._hooks = hooks
        self._eyes = _Eyes(problem)
        self._offline = [o.tbt >= OFFLINE for o in problem.objectives]

    def saw(self, *_: int) -> None:
        """Told of each stretch of iterations when it ends."""

    def decides(self, view: StepView | ClusterView) -> bool:
        """Whether a call has come or is to be handed over, to a policy that decides that, or there is a round while
        there are calls."""
        if isinstance(view, ClusterView) and view.call is None:
            return any(i.sequences or i.waiting or i.expected for i in view.instances)
        return view.hook in self._hooks

    def ask(self, view: ClusterView) -> tuple[str, View]:
        if view.call is None:
            return "roles", self._eyes.roles(view)
        return view.hook, self._eyes.call(view, view.call)

    def answer(self, view: ClusterView, reply: npt.NDArray[Any]) -> Entries:
        if view.call is None:
            return turned(view, reply)
        if view.hook == "hand":
            reply = np.where([may_decode(i, view.call) for i in view.instances], reply, -np.inf)
        return [(int(reply.argmax()) + 1, 0)]

    def act(self, view: StepView | ClusterView, entries: Entries) -> Any:
        """Once the log is full, roles stay, and calls go where they go without the functions that say it."""
        if isinstance(view, StepView):
            return stepped(view, self._offline)
        if any(not 1 <= number <= len(view.instances) for number, _ in entries):
            raise Refused("the event log names no instance")
        if view.call is None:
            if any(what not in (1, 2) for _, what in entries):
                raise Refused("the event log gives an instance no role that there is")
            return [(number - 1, what == 2) for number, what in entries]
        if not entries:
            return soonest(view) if view.hook == "route" else freest(view)
        if len(entries) != 1 or entries[0][1]:
            raise Refused("the event log sends a call to several instances")
        return entries[0][0] - 1


def turned(view: ClusterView, reply: npt.NDArray[Any]) -> Entries:
    """The changes of role in a reply. Where it leaves no instance that decodes, the one of the least number does."""
    alone = reply > 0
    if alone.all():
        alone[reply.argmin()] = False
    return [
        (i.number + 1, 1 + wish)
        for i, wish in zip(view.instances, alone.tolist(), strict=True)
        if wish != i.prefill
    ]


def may_decode(instance: Instance, call: Call) -> bool:
    """Whether a call whose prompt has ended may go on at an instance."""
    here = instance.number == call.instance and instance.sequences < instance.cap
    return not instance.prefill or here


def soonest(view: ClusterView) -> int:
    """Of the instances for prefill alone the one that will have computed the call's prompt first; of all when there is
    none."""
    able = [i for i in view.instances if i.prefill] or view.instances
    return min(
        able, key=lambda i: ((queued(i) + view.prompt) * i.costs.mixture(0, 0, ((CHUNK, 0),)), i.number)
    ).number


def freest(view: ClusterView) -> int:
    """Of the instances that decode the one with the most free cache."""
    able = [i for i in view.instances if not i.prefill]
    return max(able, key=lambda i: (room(i, view.time), -i.number)).number


def queued(instance: Instance) -> int:
    """Tokens of prompts that an instance has still to compute."""
    return sum([c.length - c.computed for c in instance.prefilling]) + sum(
        [c.length for c in instance.waiting]
    )


def room(instance: Instance, now: int) -> int:
    """Tokens of free cache beside what the next iteration takes, and what calls that are expected there want."""
    wanted = sum([-(-c.length // instance.block) for c in instance.expected])
    return max(instance.spare(now) - wanted, 0) * instance.block


# -- what an engine does ----------------------------------------------------------------------------------------------


def stepped(view: StepView, offline: Sequence[bool]) -> Any:
    """The next iteration: a token for each call that generates, and chunks of prompts, online before offline ones. A
    call begins when the free cache holds its whole prompt beside a little (vLLM's watermark), and those behind it wait
    as long. Offline calls lose their places where that lets an online one begin, come or go on; their prompts are
    computed only where no online call generates and none comes, for each of those would wait for them."""
    instance, started, queue = view.instance, view.started, view.queue
    later = [offline[c.request.kind] for c in queue]
    online = [p for p, wait in enumerate(later) if not wait]
    gone = given_up(view, offline, next((queue[p] for p in online if p >= started), None))
    if gone:
        running = view.running
        begun = [p for p in online if p < started]
        return filled(view, ((p, CHUNK) for p in begun)), tuple(map(running.index, gone)), 1
    coming = (*instance.decoding.values(), *instance.expected)
    # Of a cache that is on its way here nobody knows whose it is.
    busy = instance.arriving > 0 or any(not offline[c.request.kind] for c in coming)
    order = online if busy else sorted(range(len(queue)), key=later.__getitem__)
    free = view.free - int(WATERMARK * instance.blocks)
    needs = accumulate(-(-queue[p].length // instance.block) - queue[p].blocks for p in order)
    chosen = [p for p, need in zip(order, needs, strict=True) if p < started or need <= free]
    if not (chosen or view.sequences):
        chosen = order[:1]  # nothing else will ever free any
    chunks = filled(view, ((p, CHUNK) for p in chosen))
    return (chunks, (), 1) if chunks else NOTHING


def given_up(view: StepView, offline: Sequence[bool], first: Call | None) -> list[Call]:
    """The offline calls that give up their places: for an online one that is expected, or else for ``first``, the
    online call that waits longest; where those are not enough, for the next tokens of calls that generate. The latest
    of them go, and no more than it takes."""
    instance, size = view.instance, view.block
    coming = next((c for c in instance.expected if not offline[c.request.kind]), None)
    wanted = 0
    if coming is not None:
        wanted = -(-coming.length // size)
    elif first is not None:
        begun = [c for c in instance.prefilling if not offline[c.request.kind]]
        wanted = -(-first.length // size) + sum([-(-c.length // size) - c.blocks for c in begun])
        wanted += int(WATERMARK * instance.blocks)
    calls = [c for c in view.running if offline[c.request.kind]]
    calls.sort(key=lambda c: (c.entered, c.number), reverse=True)
    freed = list(accumulate(map(instance.frees, calls)))
    for short in (wanted - view.free, -view.free):
        if short > 0 and freed and freed[-1] >= short:
            return calls[: bisect_left(freed, short) + 1]
    return []


# -- what a policy sees -----------------------------------------------------------------------------------------------


class _Eyes:
    """Makes the views of one simulation."""

    def __init__(self, problem: Problem) -> None:
        engines, limits = problem.scenario.engines, problem.objectives
        self._online = [o.tbt < OFFLINE for o in limits]
        first = next((o for o in limits if o.tbt < OFFLINE), limits[0])
        self._limits = first.ttft / SECOND, first.tbt / SECOND
        self._capacity = np.array([e.blocks * e.block for e in engines], np.int64)
        self._speed = np.array(
            [CHUNK * SECOND / e.costs.mixture(0, 0, ((CHUNK, 0),)) for e in engines], np.float64
        )

    def roles(self, view: ClusterView) -> View:
        return (*self._state(view), *self._limits, view.time / SECOND)

    def call(self, view: ClusterView, call: Call) -> View:
        own = int(self._online[call.request.kind])
        if view.hook == "route":
            return (call.request.prompt, own, *self.roles(view))
        return (call.length + 1, own, call.instance, *self.roles(view))

    def _state(self, view: ClusterView) -> tuple[npt.NDArray[Any], ...]:
        now = view.time
        rows = [self._of(i, now) for i in view.instances]
        whole = np.array([row[:-2] for row in rows], np.int64).T.copy()
        times = np.array([row[-2:] for row in rows], np.float64).T.copy()
        return (*whole, self._capacity, self._speed, *times)

    def _of(self, instance: Instance, now: int) -> tuple[float, ...]:
        """prefill, queued, waiting, generating, online, free; late, tpot"""
        online = self._online
        decoding = instance.decoding
        kv, _ = instance.peek(now)
        late = [now - c.request.arrival for c in self._unserved(instance)]
        return (
            instance.prefill,
            queued(instance),
            len(instance.waiting),
            len(decoding) + instance.arriving + len(instance.expected),
            sum([online[c.request.kind] for c in decoding.values()]),
            room(instance, now),
            max(late, default=0) / SECOND,
            instance.costs.stretch(len(decoding), kv)[0] / SECOND if decoding else 0.0,
        )

    def _unserved(self, instance: Instance) -> Iterator[Call]:
        """The online calls that have not had their first token."""
        for calls in (instance.prefilling, instance.waiting):
            yield from (c for c in calls if c.first < 0 and self._online[c.request.kind])
