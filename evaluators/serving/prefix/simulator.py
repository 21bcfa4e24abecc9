"""The simulator of ``serving-prefix`` as policies see it: an engine that asks which of the calls that wait begins next.

Runs on the trusted side for every score of record, and inside the sandbox for the quick screen and the comparison of
event logs. Besides numpy it imports the core of the simulator and the loop that asks, and knows no references.
"""

from collections.abc import Generator, Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.serving.core.costs import SECOND
from evaluators.serving.core.plans import Refused
from evaluators.serving.core.views import StepView
from evaluators.serving.episode.desk import Entries, View, places, play
from evaluators.serving.episode.problem import Problem, decode
from evaluators.serving.episode.steps import CHUNK, chunked
from evaluators.serving.prefix.prefixes import Prefixes, numbered

SHOWN = 256
"""The first calls of the queue that a policy is shown."""
SPARE = 100
"""One block in so many stays free when a call begins, as in vLLM."""
NONE: Entries = ((0, 1),)
"""The entries of a decision after which no call could begin."""


def simulate(payload: bytes) -> Generator[View, Any, bytes]:
    """Serve the calls of ``payload`` (:mod:`evaluators.serving.episode.problem`). Yields what
    :data:`evaluators.serving.prefix.task.INTERFACE` says whenever one of several calls could begin; gets float64[n] and
    lets begin what :func:`beginning` says. Ends with the event log."""
    problem = decode(payload)
    return play(problem, Ordering(problem))


class Ordering:
    """The :class:`~evaluators.serving.episode.desk.Desk` of the task. The entries of a decision: (number of a call from
    1, 0) for each one that begins, in order. Where there is none of them the queue is taken as it stands."""

    idle_advice = "return a finite number for each"

    def __init__(self, problem: Problem) -> None:
        self._eyes = Eyes(problem)

    def saw(self, instance: int, start: int, first: int, growth: int, count: int, decodes: int) -> None:
        """A policy is not told how long iterations take."""

    def decides(self, view: StepView) -> bool:
        """Whether one of several calls could begin."""
        return len(view.instance.waiting) > 1 and view.places > 0 and view.free > 0 and room(view) > 0

    def ask(self, view: StepView) -> View:
        return self._eyes.view(view)

    def answer(self, view: StepView, reply: npt.NDArray[np.float64]) -> Entries:
        waiting = view.instance.waiting
        order = np.argsort(-reply, kind="stable").tolist()
        return [(waiting[place].number + 1, 0) for place in beginning(view, order)] or NONE

    def act(self, view: StepView, entries: Entries) -> Any:
        if entries:
            place = places(view.queue)
            begin = [place(number) for number, _ in entries if number]
        else:
            begin = [view.started + p for p in beginning(view, range(len(view.instance.waiting)))]
        plan = chunked(view, begin)
        if len({place for place, _ in plan[0]} & set(begin)) < len(begin):
            raise Refused("the event log lets a call begin for which there is no room then")
        return plan


def room(view: StepView) -> int:
    """Tokens of the next iteration that are left for calls that begin."""
    return CHUNK - view.sequences - sum(c.length - c.computed for c in view.instance.prefilling)


def promised(view: StepView) -> int:
    """Blocks that calls which have begun still take for their prompts."""
    instance = view.instance
    return sum(instance.wants(c, c.length - c.computed, set()) for c in instance.prefilling)


def beginning(view: StepView, order: Iterable[int]) -> list[int]:
    """The places, among the waiting calls, of those that begin now: in ``order`` while the iteration has room and the
    whole prompt fits, up to the first that does not. Where nothing else runs one begins in any case."""
    instance = view.instance
    left, seats, free = room(view), view.places, view.free - promised(view) - instance.blocks // SPARE
    locked: set[int] = set()
    found: list[int] = []
    for place in order:
        if left < 1 or seats < 1:
            break
        call = instance.waiting[place]
        tokens = instance.left(call)
        free -= instance.wants(call, tokens, locked)
        if free < 0 and (found or view.started or view.sequences):
            break
        left -= tokens
        seats -= 1
        found.append(place)
    return found


class Eyes:
    """Makes the views of one simulation, from arrays of what does not change."""

    def __init__(self, problem: Problem) -> None:
        requests, objectives = problem.scenario.requests, problem.objectives
        self._prefixes = Prefixes(problem)
        self._arrivals = np.array([r.arrival for r in requests], np.int64)
        self._due = self._arrivals + np.array([objectives[r.kind].ttft for r in requests], np.int64)
        self._tbt = [o.tbt for o in objectives]
        self._online = int(requests[-1].arrival > requests[0].arrival)

    def view(self, view: StepView) -> View:
        instance, now = view.instance, view.time
        shown = instance.waiting[:SHOWN]
        numbers, lengths = numbered(shown)
        cached, coming = self._prefixes.found(numbers, lengths, instance)
        sharing, common = self._prefixes.shared(numbers, lengths, now)
        due = self._due[numbers]
        for place, call in enumerate(shown):
            if call.first >= 0 and self._online:
                due[place] = call.last + self._tbt[call.request.kind]
        return (
            lengths - cached,
            lengths,
            cached,
            coming,
            sharing,
            common,
            (now - self._arrivals[numbers]) / SECOND,
            (due - now) / SECOND,
            room(view),
            view.sequences,
            instance.kv,
            max(view.free - promised(view), 0) * instance.block,
            instance.blocks * instance.block,
            self._online,
            now / SECOND,
        )
