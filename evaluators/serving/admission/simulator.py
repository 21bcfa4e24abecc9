"""The simulator of ``serving-admission`` as policies see it: one engine that asks how many waiting calls may begin.

Runs on the trusted side for every score of record, and inside the sandbox for the quick screen and the comparison of
event logs. Besides numpy it imports the core of the simulator and the loop that asks, and knows no references.
"""

from collections.abc import Generator
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.serving.core.calls import Call
from evaluators.serving.core.costs import SECOND
from evaluators.serving.core.plans import Refused
from evaluators.serving.core.views import StepView
from evaluators.serving.episode.desk import Entries, View, play
from evaluators.serving.episode.problem import Problem, decode
from evaluators.serving.episode.steps import NOTHING, chunked, left_over

HISTORY = 200
"""Ended calls that a policy is shown, as many as LightLLM's window."""
QUEUE = 32
"""Waiting calls that a policy is shown."""
AGAIN = 32
"""Iterations after which a policy that let nothing begin is asked again, when nothing happens before."""


def simulate(payload: bytes) -> Generator[View, Any, bytes]:
    """Serve the calls of ``payload`` (:mod:`evaluators.serving.episode.problem`). Yields what
    :data:`evaluators.serving.admission.task.INTERFACE` says whenever a waiting call could begin; gets how many do. Ends
    with the event log."""
    problem = decode(payload)
    return play(problem, Admitting(problem))


class Admitting:
    """The :class:`~evaluators.serving.episode.desk.Desk` of the task. The entry of a decision: (calls that begin,
    0)."""

    idle_advice = "let a call begin when none runs"

    def __init__(self, problem: Problem) -> None:
        self._eyes = _Eyes(problem)
        self.saw = self._eyes.saw

    def decides(self, view: StepView) -> bool:
        """Whether the next iteration has room for a call that waits, beside those that have begun."""
        if not view.instance.waiting or view.places < 1:
            return False
        tokens, blocks = left_over(view)
        return tokens > 0 and blocks > 0

    def ask(self, view: StepView) -> View:
        return self._eyes.view(view)

    def answer(self, view: StepView, reply: int) -> Entries:
        begin = begun(view, plan(view, int(reply)))
        self._eyes.began(view.instance.waiting[:begin])
        return ((begin, 0),) if begin else ()

    def act(self, view: StepView, entries: Entries) -> Any:
        begin = entries[0][0] if entries else 0
        made = plan(view, begin)
        if len(entries) > 1 or any(second for _, second in entries) or begun(view, made) != begin:
            raise Refused(f"the event log lets {begin} calls begin, which is not possible then")
        return ((), (), AGAIN) if made is NOTHING and self.decides(view) else made


def plan(view: StepView, begin: int) -> Any:
    """What the engine does when the first ``begin`` of the waiting calls may begin."""
    most = max(0, min(begin, len(view.instance.waiting)))
    return chunked(view, range(view.started, view.started + most))


def begun(view: StepView, made: Any) -> int:
    """How many calls begin with a plan."""
    return sum(place >= view.started for place, _ in made[0])


class _Eyes:
    """Makes the views of one simulation."""

    def __init__(self, problem: Problem) -> None:
        self._limits = [(o.ttft, o.tbt) for o in problem.objectives]
        self._block = problem.engine.block
        self._longest = max(r.hint for r in problem.scenario.requests)
        self._last = 0
        self._running: dict[int, Call] = {}
        """Calls that have begun, until they are seen to have ended."""
        self._past = np.zeros((0, 2), np.int64)
        """(prompt, output) of the calls that ended last."""

    def saw(self, _: int, __: int, first: int, growth: int, count: int, ___: int) -> None:
        """Told of each stretch of iterations when it ends."""
        self._last = first + growth * (count - 1)

    def began(self, calls: list[Call]) -> None:
        """Told of calls that begin."""
        self._running.update((call.number, call) for call in calls)

    def view(self, view: StepView) -> View:
        instance, now, step = view.instance, view.time, view.instance.step
        past = self._ended()
        running = [
            (c.length + step - c.joined, c.generated + step - c.joined) for c in instance.decoding.values()
        ]
        running += [(c.length, c.generated) for c in instance.prefilling]
        waiting = [(c.length, c.generated, self._due(c) - now) for c in instance.waiting[:QUEUE]]
        length, done, slack = np.array(waiting, np.int64).T
        held, generated = np.array(running, np.int64).reshape(-1, 2).T
        return (
            length,
            done,
            slack / SECOND,
            held,
            generated,
            past[:, 0],
            past[:, 1],
            len(instance.waiting),
            sum([c.length - c.computed for c in instance.prefilling]),
            view.free * self._block,
            instance.blocks * self._block,
            view.places,
            self._longest,
            self._last / SECOND,
            now / SECOND,
        )

    def _due(self, call: Call) -> int:
        """When the next token of a waiting call is due, ps."""
        ttft, tbt = self._limits[call.request.kind]
        return call.last + tbt if call.first >= 0 else call.request.arrival + ttft

    def _ended(self) -> npt.NDArray[np.int64]:
        """The history, those that have ended since the last view behind the others."""
        ended = sorted([(c.ended, c.number) for c in self._running.values() if c.ended >= 0])
        if ended:
            requests = [self._running.pop(number).request for _, number in ended]
            new = np.array([(r.prompt, r.output) for r in requests], np.int64)
            self._past = np.concatenate([self._past, new])[-HISTORY:]
        return self._past
