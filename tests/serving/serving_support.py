"""What the tests of serving share: a tiny engine, a task with its policies, programs of benchmarks/, and the measured
tables and traces, where a machine has them."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from itertools import accumulate
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import numpy as np
import pytest

from discovery.candidate import signatures
from discovery.execution.lockstep import functions
from discovery.sandbox.replicas import Replicas
from evaluators.registry import load
from evaluators.serving.core.calls import Request
from evaluators.serving.core.costs import Costs
from evaluators.serving.core.simulation import Outcome
from evaluators.serving.episode.problem import MICROSECOND, decode
from evaluators.serving.episode.task import ServingTask
from evaluators.task import Instance

Policy = Callable[..., Any]
TINY = Costs(
    tokens=tuple(1000 * (1000 + 7 * n) for n in range(700)),
    decode=(50_000, 3000, 2000),
    prefill=(30_000, 9000, 5000, 3000, 1000),
    mixed=(4000, 3000, 1000, 2000, 100, 25_000),
    engine=(20_000, 1000),
)
"""An iteration takes some microseconds."""
BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def benchmark(name: str) -> ModuleType:
    """A program of benchmarks/; the others can be imported from then on."""
    if str(BENCHMARKS) not in sys.path:
        sys.path.append(str(BENCHMARKS))
    return import_module(name)


def data() -> Path:
    """The folder of measured tables and traces; skips the test where there is none. Makes benchmarks importable."""
    found: Path | None = benchmark("serving_data").folder()
    if found is None:
        pytest.skip(
            "needs the public tables and traces: set SERVING_DATA to their folder (benchmarks/README.md)"
        )
    return found


def arriving(rows: Sequence[Sequence[int]]) -> tuple[Request, ...]:
    """Requests from rows of the gap before a call, µs, its prompt, its output and, if given, its kind."""
    times = accumulate(gap for gap, *_ in [(0,), *rows[1:]])
    return tuple(
        Request(str(n), time * MICROSECOND, *row[1:])
        for n, (time, row) in enumerate(zip(times, rows, strict=True))
    )


class Bench:
    """A serving task and policies on it, through the records of the pipe. A policy is its functions by name."""

    def __init__(self, name: str) -> None:
        self.task = cast("ServingTask", load(name))
        self.referee = self.task.referee
        faces = (self.task.interface, *self.task.interface.hooks)
        self.arguments = {f.function: [a.name for a in f.arguments] for f in faces}
        self._main = self.task.interface.function
        self.names = self.arguments[self._main]

    def run(self, one: Instance, main: Policy | None = None, /, **policy: Policy) -> bytes:
        """The event log; ``main`` is the function of a task that needs no more."""
        if main is not None:
            policy = {self._main: main, **policy}
        known = functions(self.task.interface).only(set(policy))
        chosen = [policy[name] for name in self.arguments if name in policy]
        return Replicas(known, lambda: chosen).simulate(self.task.simulate, one.payload)

    def outcome(self, one: Instance, **policy: Policy) -> Outcome:
        """What happens when the engines do what the log says."""
        return self.referee.replayed(decode(one.payload), self.run(one, **policy))

    def score(self, one: Instance, **policy: Policy) -> float:
        return self.referee.judge(one, self.run(one, **policy)).score

    def views(self, one: Instance, main: Policy) -> list[dict[str, Any]]:
        """What the main function was shown, in order, by the names of its arguments."""
        return [view for _, view in self.seen(one, **{self._main: main})]

    def seen(self, one: Instance, **policy: Policy) -> list[tuple[str, dict[str, Any]]]:
        """What each function was shown, in order, by the names of its arguments."""
        found: list[tuple[str, dict[str, Any]]] = []

        def watched(name: str, *view: Any) -> Any:
            shown = zip(self.arguments[name], view, strict=True)
            found.append((name, {n: np.copy(v).tolist() for n, v in shown}))
            return policy[name](*view)

        self.run(one, **{name: partial(watched, name) for name in policy})
        return found

    def baseline(self, name: str, **parameters: float) -> dict[str, Policy]:
        """The functions of a baseline, each with those of ``parameters`` that it has."""
        path = self.task.baselines()[name].path
        assert path is not None
        module = runpy.run_path(str(path))
        known = signatures(path.read_text(encoding="utf-8"), self.task.interface)
        return {
            function: partial(module[function], **{k: v for k, v in parameters.items() if k in names})
            for function, names in known.items()
        }

    def rule(self, name: str, **parameters: float) -> Policy:
        """The main function of a baseline."""
        return self.baseline(name, **parameters)[self._main]


def altered(log: bytes, *changes: tuple[int, int, int]) -> bytes:
    """The log with other numbers at (row, column)."""
    rows = np.frombuffer(log, "<u2").reshape(-1, 2).copy()
    for row, column, value in changes:
        rows[row, column] = value
    return rows.tobytes()


def entries(log: bytes) -> list[list[int]]:
    """The entries up to the last that says something."""
    rows = np.frombuffer(log, "<u2").reshape(-1, 2).tolist()
    while rows and rows[-1] == [0, 0]:
        rows.pop()
    return rows
