"""The simulator of ``serving-priority`` as policies see it: one engine that asks in which order the calls that wait are
served.

Runs on the trusted side for every score of record, and inside the sandbox for the quick screen and the comparison of
event logs. Besides numpy it imports the core of the simulator and the loop that asks, and knows no references.
"""

from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.serving.core.calls import Call
from evaluators.serving.core.costs import SECOND
from evaluators.serving.core.plans import Refused
from evaluators.serving.core.views import StepView
from evaluators.serving.episode.desk import Entries, View, places, play
from evaluators.serving.episode.problem import decode
from evaluators.serving.episode.steps import chunked, fitting, left_over


def simulate(payload: bytes) -> Generator[View, Any, bytes]:
    """Serve the calls of ``payload`` (:mod:`evaluators.serving.episode.problem`). Yields what
    :data:`evaluators.serving.priority.task.INTERFACE` says whenever one of several waiting calls could begin; gets
    float64[n], and the highest number is next. Ends with the event log."""
    return play(decode(payload), Ranking())


class Ranking:
    """The :class:`~evaluators.serving.episode.desk.Desk` of the task. The entries of a decision: (number of a call that
    begins, from 1, 0), in their order; none where the one that is next has to wait for memory."""

    idle_advice = ""

    def decides(self, view: StepView) -> bool:
        """Whether several calls wait and the next iteration has room for one of them."""
        waiting = view.instance.waiting
        if len(waiting) < 2 or view.places < 1:
            return False
        tokens, blocks = left_over(view)
        return tokens > 0 and -(-min([c.length for c in waiting]) // view.block) <= blocks

    def ask(self, view: StepView) -> View:
        return shown(view.instance.waiting, view.time)

    def answer(self, view: StepView, reply: npt.NDArray[np.float64]) -> Entries:
        order = np.argsort(-reply, kind="stable").tolist()
        return [(call.number + 1, 0) for call in begun(view, ordered(view, order))]

    def act(self, view: StepView, entries: Entries) -> Any:
        """Where nobody decides calls begin as they stand in the queue."""
        waiting = view.instance.waiting
        if entries:
            place = places(waiting)
            made = ordered(view, [place(number) for number, _ in entries])
            if [(call.number + 1, 0) for call in begun(view, made)] != list(entries):
                raise Refused("the event log lets calls begin for which there is no room")
            return made
        # A log that is full says nothing; then calls begin when none runs.
        held_back = self.decides(view) and (view.sequences or view.started)
        return ordered(view, () if held_back else range(len(waiting)))

    def saw(self, instance: int, start: int, first: int, growth: int, count: int, decodes: int) -> None:
        """A policy is told nothing of iterations."""


def ordered(view: StepView, order: Sequence[int]) -> Any:
    """What vLLM's engine does when the waiting calls are served in an order of places: one begins when the free cache
    holds its whole prompt beside those that have begun, and while it does not, nobody overtakes it."""
    instance = view.instance
    _, blocks = left_over(view)
    most = fitting((instance.waiting[place] for place in order), instance.block, blocks)
    return chunked(view, [view.started + place for place in order[:most]])


def begun(view: StepView, made: Any) -> list[Call]:
    """The calls that begin with a plan."""
    return [view.instance.waiting[place - view.started] for place, _ in made[0] if place >= view.started]


def shown(waiting: Sequence[Call], now: int) -> View:
    """What a policy sees of the waiting calls: what vLLM knows of a request."""
    rows = [
        (c.request.prompt, c.generated, c.request.hint, c.request.kind, c.preempted, now - c.request.arrival)
        for c in waiting
    ]
    prompt, generated, most, priority, preemptions, age = np.array(rows, np.int64).T.copy()
    return age / SECOND, prompt, generated, most, priority, preemptions
