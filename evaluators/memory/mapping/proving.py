"""Proves or bounds single programs with a named solver and a time limit.

``exact`` is CP-SAT (:mod:`evaluators.memory.mapping.exact`), ``mcts`` the tree search
(:mod:`evaluators.memory.mapping.mcts`), which proves nothing but what the lower bound does and is not stopped by the
limit.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Iterator

from evaluators.memory.mapping import exact, mcts
from evaluators.memory.mapping.bound import lower_bound
from evaluators.memory.mapping.game import Game
from evaluators.memory.mapping.program import Program, decode
from evaluators.task import Instance, InstanceSet, Proof, TaskError


def prove(instances: InstanceSet, solver: str, seconds: float) -> Iterator[Proof]:
    """One proof an instance, in order; ``seconds`` limits CP-SAT. ``sequence`` holds the action of each segment: 0
    slow memory, -1 kept, else how many operations ahead its copy begins.

    Raises TaskError at once for an unknown solver or a limit that is not positive, and where OR-tools is missing."""
    if solver not in SOLVERS:
        raise TaskError(f"unknown solver {solver!r}; expected one of {', '.join(SOLVERS)}")
    if not seconds > 0:
        raise TaskError(f"the time limit is {seconds!r} seconds; expected a positive number")
    return (_proof(i, _WAYS[solver], seconds) for i in instances)


def _exact(program: Program, seconds: float) -> tuple[int, Game]:
    game = mcts.play(program, nodes=4)
    found = exact.solve(program, seconds, game)
    if found.decisions is not None:
        better = exact.replayed(program, found.decisions)
        game = min(game, better, key=lambda one: one.run_time)
    return found.bound, game


def _mcts(program: Program, seconds: float) -> tuple[int, Game]:  # noqa: ARG001
    return 0, mcts.play(program)


_WAYS: dict[str, Callable[[Program, float], tuple[int, Game]]] = {"exact": _exact, "mcts": _mcts}
SOLVERS = tuple(_WAYS)


def _proof(instance: Instance, way: Callable[[Program, float], tuple[int, Game]], seconds: float) -> Proof:
    program = decode(instance.payload)
    start = clock.perf_counter()
    bound, game = way(program, seconds)
    value = game.run_time
    bound = min(max(bound, lower_bound(program)), value)
    proved = bound == value
    return Proof(
        id=instance.id,
        status="proved" if proved else "bound",
        optimum=float(value) if proved else None,
        bound=float(bound),
        value=float(value),
        sequence=tuple(code for code, _ in game.log),
        seconds=clock.perf_counter() - start,
        gap=(value - bound) / value,
    )
