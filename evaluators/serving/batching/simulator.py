"""The simulator of ``serving`` as policies see it: one engine that asks how full its next iteration may get.

Runs on the trusted side for every score of record, and inside the sandbox for the quick screen and the comparison of
event logs. Besides numpy it imports the core of the simulator and the loop that asks, and knows no references.
"""

from collections.abc import Collection, Generator
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.serving.core.calls import Call
from evaluators.serving.core.costs import SECOND
from evaluators.serving.core.views import StepView
from evaluators.serving.episode import steps
from evaluators.serving.episode.desk import Entries, View, places, play
from evaluators.serving.episode.problem import Problem, decode
from evaluators.serving.episode.steps import NOTHING, Chunks


def simulate(payload: bytes) -> Generator[View, Any, bytes]:
    """Serve the calls of ``payload`` (:mod:`evaluators.serving.episode.problem`). Yields what
    :data:`evaluators.serving.batching.task.INTERFACE` says whenever something can be computed of a prompt; gets
    float64[n] and fills the iteration as :func:`filled` does. Ends with the event log."""
    problem = decode(payload)
    return play(problem, Filling(problem))


class Filling:
    """The :class:`~evaluators.serving.episode.desk.Desk` of the task. The entries of a decision: (number of a call from
    1, tokens) for each chunk, no tokens for a call that gives up its place."""

    idle_advice = "give one of them more than the tokens of the calls that decode"

    def __init__(self, problem: Problem) -> None:
        self._eyes = _Eyes(problem)
        self.saw = self._eyes.saw

    def decides(self, view: StepView) -> bool:
        """Whether there is a call of which something could be computed now."""
        return bool(view.started) or (view.places > 0 and view.free > 0)

    def ask(self, view: StepView) -> View:
        return self._eyes.view(view)

    def answer(self, view: StepView, reply: npt.NDArray[np.float64]) -> Entries:
        queue, chunks = view.queue, filled(view, reply)
        gone = () if chunks or view.sequences else _stuck(view, reply)
        return [
            *((queue[place].number + 1, tokens) for place, tokens in chunks),
            *((queue[place].number + 1, 0) for place in gone),
        ]

    def act(self, view: StepView, entries: Entries) -> Any:
        if not entries:
            return ((), (), 1) if self.decides(view) else NOTHING
        place = places(view.queue)
        chunks = [(place(number), tokens) for number, tokens in entries if tokens]
        gone = [view.sequences + place(number) for number, tokens in entries if not tokens]
        self._eyes.planned = view.time, sum(tokens for _, tokens in chunks)
        return chunks, gone, 1


def filled(view: StepView, reply: npt.NDArray[np.float64]) -> Chunks:
    """The chunks of the next iteration. Calls are taken from the highest number to the lowest, of equal ones in the
    order of the queue; each gets tokens until the iteration holds as many as its number says."""
    numbers, most = reply.tolist(), view.instance.budget
    order: Any = range(len(numbers))
    if numbers and numbers.count(numbers[0]) != len(numbers):
        order = np.argsort(-reply, kind="stable").tolist()
    return steps.filled(view, ((place, int(min(numbers[place], most))) for place in order))


def _stuck(view: StepView, reply: npt.NDArray[np.float64]) -> tuple[int, ...]:
    """Where calls that have begun hold all memory and none decodes, the one that was admitted last gives up its
    place."""
    return (view.started - 1,) if view.started and view.free <= 0 and reply.max() >= 1 else ()


class _Eyes:
    """Makes the views of one simulation, from arrays of what does not change."""

    def __init__(self, problem: Problem) -> None:
        requests, objectives = problem.scenario.requests, problem.objectives
        self._arrivals = np.array([r.arrival for r in requests], np.int64)
        self._due = self._arrivals + np.array([objectives[r.kind].ttft for r in requests], np.int64)
        self._tbt = [o.tbt for o in objectives]
        self._kinds = len(objectives)
        self._block = problem.engine.block
        self._last = (0, 0, 0)
        self.planned = (-1, 0)
        """(time, tokens of prefill) of the plan made last."""

    def saw(self, _: int, start: int, first: int, growth: int, count: int, decodes: int) -> None:
        """Told of each stretch of iterations when it ends."""
        self._last = start, first + growth * (count - 1), decodes

    def view(self, view: StepView) -> View:
        instance, now = view.instance, view.time
        calls = instance.prefilling + instance.waiting
        numbers, whole, computed = np.array([(c.number, c.length, c.computed) for c in calls], np.int64).T
        due = self._due[numbers]
        for place, call in enumerate(instance.waiting, len(instance.prefilling)):
            if call.preempted and call.first >= 0:
                due[place] = call.last + self._tbt[call.request.kind]
        start, took, tokens = self._last
        if start == self.planned[0]:
            tokens += self.planned[1]
        return (
            whole - computed,
            whole,
            computed,
            (now - self._arrivals[numbers]) / SECOND,
            (due - now) / SECOND,
            view.sequences,
            instance.kv,
            max(view.free, 0) * self._block,
            instance.blocks * self._block,
            view.places,
            self._tightest(instance.decoding.values()) / SECOND,
            tokens,
            took / SECOND,
            now / SECOND,
        )

    def _tightest(self, calls: Collection[Call]) -> int:
        """The shortest limit between two tokens of the calls that decode; the longest there is when none does."""
        if self._kinds == 1 or not calls:
            return max(self._tbt)
        return min([self._tbt[c.request.kind] for c in calls])
