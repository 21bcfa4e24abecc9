"""Proves or bounds single instances with a named solver and a time limit."""

from __future__ import annotations

import importlib
import importlib.util
import sys
import time as clock
from collections.abc import Iterator
from typing import Literal, cast

from evaluators.smtt import exact
from evaluators.smtt.constructive import good_sequence
from evaluators.smtt.problem import Ints, decode, lower_bound, total_tardiness
from evaluators.task import Instance, InstanceSet, Proof, TaskError

SOLVERS = ("exact", "mip")
COMPILED = "evaluators.smtt.exact_numba"

FEW_STATES = 4_000
"""So many states take pure Python some 50 ms, far less than loading numba; most sets to 100 jobs need no more."""


def prove(instances: InstanceSet, solver: str, seconds: float) -> Iterator[Proof]:
    """One proof an instance, in order, each within about ``seconds`` of wall clock. At the limit the integer program
    gives its own incumbent and bound ("bound") or has neither ("limit"); the exact solver has a rule's sequence and a
    simple bound ("limit").

    Raises TaskError at once for an unknown solver or a limit that is not positive."""
    if solver not in SOLVERS:
        raise TaskError(f"unknown solver {solver!r}; expected one of {', '.join(SOLVERS)}")
    if not seconds > 0:
        raise TaskError(f"the time limit is {seconds!r} seconds; expected a positive number")
    return (_exact(i, seconds) if solver == "exact" else _mip(i, seconds) for i in instances)


def solve(
    processing_times: Ints, due_dates: Ints, *, states: int | None = None, seconds: float | None = None
) -> exact.Solution:
    """The best exact solver at hand: compiled to 1000 jobs with numba, pure Python to 200 without. Both give the same
    solution and count the same states.

    Raises OutOfBudget when a limit is reached or no solver takes so many jobs."""
    n = len(processing_times)
    few = FEW_STATES if states is None else min(states, FEW_STATES)
    if n <= exact.LARGEST and COMPILED not in sys.modules:
        try:
            return exact.solve(processing_times, due_dates, states=few, seconds=seconds)
        except exact.OutOfBudget:
            if few == states:
                raise
    if importlib.util.find_spec("numba") is not None:
        compiled = importlib.import_module(COMPILED)
        if compiled.takes(processing_times):
            return cast(
                "exact.Solution", compiled.solve(processing_times, due_dates, states=states, seconds=seconds)
            )
    if n <= exact.LARGEST:
        return exact.solve(processing_times, due_dates, states=states, seconds=seconds)
    raise exact.OutOfBudget(f"no installed solver takes {n} jobs")


def _exact(instance: Instance, seconds: float) -> Proof:
    processing_times, due_dates = decode(instance.payload)
    start = clock.perf_counter()
    try:
        found = solve(processing_times, due_dates, seconds=seconds)
    except exact.OutOfBudget:
        sequence = good_sequence(processing_times, due_dates)
        value = total_tardiness(processing_times, due_dates, sequence)
        return _proof(instance, "limit", lower_bound(processing_times, due_dates), value, sequence, start)
    return _proof(instance, "proved", found.optimum, found.optimum, found.sequence, start, found.states)


def _mip(instance: Instance, seconds: float) -> Proof:
    from evaluators.smtt import mip  # scipy's solver is large

    processing_times, due_dates = decode(instance.payload)
    start = clock.perf_counter()
    found = mip.solve(processing_times, due_dates, seconds)
    bound = max(found.bound, lower_bound(processing_times, due_dates))
    sequence = found.sequence
    if sequence is None:
        return Proof(instance.id, "limit", None, float(bound), None, None, clock.perf_counter() - start)
    value = total_tardiness(processing_times, due_dates, sequence)
    return _proof(instance, "bound", bound, value, sequence, start)


def _proof(
    instance: Instance,
    status: Literal["proved", "bound", "limit"],
    bound: int,
    value: int,
    sequence: tuple[int, ...],
    start: float,
    states: int | None = None,
) -> Proof:
    """``gap`` is the share of the value that the bound leaves open; none is a proof whatever ``status`` says."""
    proved = status == "proved" or bound >= value
    return Proof(
        id=instance.id,
        status="proved" if proved else status,
        optimum=float(value) if proved else None,
        bound=float(min(bound, value)),
        value=float(value),
        sequence=sequence,
        seconds=clock.perf_counter() - start,
        states=states,
        gap=0.0 if proved else (value - bound) / value,
    )
