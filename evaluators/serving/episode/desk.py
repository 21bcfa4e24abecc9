"""Where the simulator and a policy meet: one loop that asks and takes down, one that does what was taken down.

A task says with a :class:`Desk` at which of the core's views there is something to decide, what a policy is shown then
and what its reply means. A reply becomes *entries*, pairs of numbers, and only these say what the engines do: the event
log is all entries in order, and replaying it needs no policy.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, Protocol

import numpy as np

from evaluators.serving.core.calls import Call
from evaluators.serving.core.costs import SECOND
from evaluators.serving.core.plans import Refused
from evaluators.serving.core.simulation import simulate
from evaluators.serving.episode.problem import Problem

View = tuple[Any, ...]
Entries = Sequence[tuple[int, int]]
"""Pairs of numbers below 65,536, none of them (0, 0)."""
STALL = 20 * SECOND
"""Simulated time for which an engine may stand still though calls wait, ps; then its policy is asked no more."""


class Desk(Protocol):
    """A task's side of one episode. Views are those of :mod:`evaluators.serving.core.views`."""

    idle_advice: str
    """What to do about a policy that computes nothing, for the proposer."""

    def decides(self, view: Any) -> bool:
        """Whether the policy is asked at this view: a function of what a replay sees as well."""
        ...

    def ask(self, view: Any) -> View | tuple[str, View]:
        """What the policy is shown; where the task has hooks, the function that is asked and what it is shown."""
        ...

    def answer(self, view: Any, reply: Any) -> Entries:
        """What a reply means. Raises ValueError for one that is refused."""
        ...

    def act(self, view: Any, entries: Entries) -> Any:
        """What the core is told: what the entries say, and of what they leave open what this engine always does.
        Raises Refused for entries that mean nothing here."""
        ...

    def saw(self, instance: int, start: int, first: int, growth: int, count: int, decodes: int) -> None:
        """Told of each stretch of iterations when it ends, in ps."""
        ...


def play(problem: Problem, desk: Desk, preface: Entries = ()) -> Generator[Any, Any, bytes]:
    """The simulation of a policy task. Its event log holds (u2, u2) entries, those of each decision followed by (0, 0).
    A ``preface`` is a decision of its own at the beginning, which the desk is not asked about. Once the log is full, or
    when an engine has stood still for STALL, the policy is asked no more."""
    log = _Log(problem.entries)
    if preface:
        log.add(preface)
    idle: int | None = None  # since when nothing is computed
    run = simulate(problem.scenario, desk.saw)
    try:
        view: Any = next(run)
        while True:
            entries: Entries = ()
            if not log.full and desk.decides(view):
                entries = desk.answer(view, (yield desk.ask(view)))
                if entries or view.hook != "step" or view.sequences:
                    idle = None
                elif idle is None:
                    idle = view.time
                elif view.time - idle > STALL:
                    if log.empty:
                        raise ValueError(
                            f"nothing was computed in {STALL // SECOND} s of simulated time while {len(view.queue)} "
                            f"calls waited; {desk.idle_advice}"
                        )
                    log.full = True
                if not log.add(entries):
                    entries = ()
            view = run.send(desk.act(view, entries))
    except StopIteration:
        return log.data.tobytes()


class _Log:
    """The event log while it grows. Once it is ``full`` the policy is asked no more."""

    def __init__(self, entries: int) -> None:
        self.data = np.zeros((entries, 2), "<u2")
        self.full = False
        self._used = 0

    @property
    def empty(self) -> bool:
        """Whether nothing has been decided yet."""
        return not self.data.any()

    def add(self, entries: Entries) -> bool:
        """Take down a decision. Where there is no room for it the log is full, and takes nothing."""
        end = self._used + len(entries) + 1
        if self.full or end > len(self.data):
            self.full = True
            return False
        if entries:
            self.data[self._used : end - 1] = entries
        self._used = end
        return True


def preface(hooks: frozenset[str], all_hooks: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """The log's preface: which hooks a candidate has."""
    return ((1 + sum(1 << place for place, name in enumerate(all_hooks) if name in hooks), 0),)


def places(queue: Sequence[Call]) -> Callable[[int], int]:
    """Where the call of a number of the log, from 1, stands in the queue. Raises Refused where it does not."""
    found = {call.number + 1: place for place, call in enumerate(queue)}

    def place(number: int) -> int:
        if number not in found:
            raise Refused(f"the event log names call {number}, which does not wait then")
        return found[number]

    return place
