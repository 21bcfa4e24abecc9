"""Proves or bounds the least height of single instances with CP-SAT, the constraint solver of OR-Tools.

Each buffer is a rectangle whose place in time is fixed and whose offset is a variable; rectangles do not overlap, and
the highest end is minimised. That the sizes alive at once never exceed the height is told as well, a cumulative
constraint. Sources: Fekete, Köhler & Teich (2006) for packing with given lifetimes; Perron & Furnon, "OR-Tools", for
the solver.
"""

from __future__ import annotations

import importlib.util
import time as clock
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from evaluators.memory.alloc.adapter import Board
from evaluators.memory.buffers import Buffers, Ints, decode
from evaluators.task import Instance, InstanceSet, Missing, Proof, TaskError

SOLVERS = ("cp-sat",)
LARGEST = 2_000
"""Beyond so many buffers the model itself takes minutes; they are bounded only."""
SEARCHES = 8
"""Strategies of the solver that take turns. They share one processor, so that the same work gives the same answer."""
SLACK = 4.0
"""Seconds of wall clock for a unit of the solver's own time, which counts its work and is about a second."""


@dataclass(frozen=True)
class Found:
    """What the solver ended with: a placing, its height, and a proved lower bound, both in bytes."""

    offsets: Ints
    height: int
    bound: int


def prove(instances: InstanceSet, solver: str, seconds: float) -> Iterator[Proof]:
    """One proof an instance, in order. The budget is the solver's own count of its work, about ``seconds`` on an idle
    machine, so that a proof does not depend on the load, unless four times that time pass.

    Raises TaskError at once for an unknown solver, a limit that is not positive, or without the extra ``cpsat``."""
    if solver not in SOLVERS:
        raise TaskError(f"unknown solver {solver!r}; expected one of {', '.join(SOLVERS)}")
    if not seconds > 0:
        raise TaskError(f"the time limit is {seconds!r} seconds; expected a positive number")
    if importlib.util.find_spec("ortools") is None:
        raise Missing("the solver 'cp-sat' needs OR-Tools; install the extra `cpsat`")
    return (_proof(instance, seconds) for instance in instances)


def solve(buffers: Buffers, seconds: float) -> Found:
    """The best placing within the budget, and what is proved; at worst that of a rule, and the lower bound."""
    start, bound = greedy(buffers), buffers.bound
    height = buffers.height(start)
    if height == bound or len(buffers) > LARGEST:
        return Found(start, height, bound)
    from ortools.sat.python import cp_model

    grain = int(np.gcd.reduce(buffers.size))
    model: Any = cp_model.CpModel()
    peak = model.new_int_var(bound // grain, height // grain, "height")
    sizes = (buffers.size // grain).tolist()
    offsets, times, addresses = [], [], []
    for number, (lower, upper, size) in enumerate(
        zip(buffers.lower.tolist(), buffers.upper.tolist(), sizes, strict=True)
    ):
        offset = model.new_int_var(0, height // grain - size, f"offset {number}")
        model.add(offset + size <= peak)
        model.add_hint(offset, int(start[number]) // grain)
        offsets.append(offset)
        times.append(model.new_fixed_size_interval_var(lower, upper - lower, f"time {number}"))
        addresses.append(model.new_fixed_size_interval_var(offset, size, f"address {number}"))
    model.add_no_overlap_2d(times, addresses)
    model.add_cumulative(times, sizes, peak)
    model.add_hint(peak, height // grain)
    model.minimize(peak)
    solver: Any = cp_model.CpSolver()
    solver.parameters.num_workers = SEARCHES
    solver.parameters.interleave_search = True
    solver.parameters.random_seed = 0
    solver.parameters.max_deterministic_time = seconds
    solver.parameters.max_time_in_seconds = SLACK * seconds
    status = solver.solve(model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Found(start, height, bound)
    placed = np.array([solver.value(offset) for offset in offsets], np.int64) * grain
    proved = round(solver.best_objective_bound) * grain
    return Found(placed, buffers.height(placed), max(bound, proved))


def greedy(buffers: Buffers) -> Ints:
    """First fit by decreasing size, length, area, or by beginning, whichever is lowest."""
    lower, length, size = buffers.lower, buffers.upper - buffers.lower, buffers.size
    board = Board(lower, buffers.upper, size)
    keys = (-size, -length, -(size.astype(np.float64) * length), lower)
    placings: list[Ints] = [board.place(np.lexsort((-size, key)).tolist(), None) for key in keys]
    return min(placings, key=buffers.height)


def _proof(instance: Instance, seconds: float) -> Proof:
    """``gap`` is the share of the value that the bound leaves open."""
    start = clock.perf_counter()
    buffers = decode(instance.payload)
    found = solve(buffers, seconds)
    if buffers.clash(found.offsets) is not None or found.bound > found.height:
        raise TaskError(f"the solver's placing of {instance.id!r} is wrong; please report it")
    proved = found.bound == found.height
    status: Literal["proved", "bound"] = "proved" if proved else "bound"
    return Proof(
        id=instance.id,
        status=status,
        optimum=float(found.height) if proved else None,
        bound=float(found.bound),
        value=float(found.height),
        sequence=tuple(found.offsets.tolist()),
        seconds=clock.perf_counter() - start,
        gap=(found.height - found.bound) / found.height,
    )
