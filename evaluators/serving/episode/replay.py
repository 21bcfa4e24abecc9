"""An event log read back: what happens when the engines do what it says."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from evaluators.serving.core.plans import Refused
from evaluators.serving.core.simulation import Outcome, simulate
from evaluators.serving.episode.desk import Desk, Entries
from evaluators.serving.episode.problem import ENTRY_BYTES, Problem
from evaluators.task import InvalidAnswer


class Replay:
    """What happens when the engines do what a log says."""

    def __init__(self, problem: Problem, answer: bytes) -> None:
        """Raises InvalidAnswer for a log of another length."""
        if len(answer) != ENTRY_BYTES * problem.entries:
            raise InvalidAnswer(
                f"the event log has {len(answer)} bytes; expected {ENTRY_BYTES * problem.entries}"
            )
        self._problem = problem
        self._rows: Iterator[list[int]] = iter(np.frombuffer(answer, "<u2").reshape(-1, 2).tolist())

    def decision(self) -> Entries:
        """The entries of the next decision; none once the log is used up."""
        found: list[tuple[int, int]] = []
        for first, second in self._rows:
            if not first and not second:
                break
            found.append((first, second))
        return found

    def outcome(self, desk: Desk) -> Outcome:
        """Raises InvalidAnswer where that cannot be."""
        run = simulate(self._problem.scenario, desk.saw)
        try:
            view: Any = next(run)
            while True:
                view = run.send(desk.act(view, self.decision() if desk.decides(view) else ()))
        except Refused as refusal:
            raise InvalidAnswer(str(refusal)) from None
        except StopIteration as ended:
            outcome: Outcome = ended.value
        if outcome.refusals:
            raise InvalidAnswer(
                f"the event log holds a plan that the engine refuses: {min(outcome.refusals)}"
            )
        if any(number or other for number, other in self._rows):
            raise InvalidAnswer("the event log goes on after the last decision")
        return outcome


def hooks_of(entries: Sequence[tuple[int, int]], all_hooks: Sequence[str]) -> frozenset[str]:
    """The hooks that a preface names. Raises InvalidAnswer where it is none."""
    if len(entries) != 1 or entries[0][1] or not 1 <= entries[0][0] <= 1 << len(all_hooks):
        raise InvalidAnswer("the event log does not begin with the hooks of its policy")
    return frozenset(name for place, name in enumerate(all_hooks) if entries[0][0] - 1 >> place & 1)
