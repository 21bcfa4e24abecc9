"""What is attacked: two small instances of ``smtt`` with proved optima, and a task of plain numbers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from evaluators.plain import Draw, PlainTask
from evaluators.smtt.task import DUE_DATES, PROCESSING_TIMES, Smtt
from evaluators.task import Direction, InstanceSet, Interface, Value

LIMIT = 0.05
"""Processor time of a call, s; the child is killed at twice that."""
SET = InstanceSet(
    "attacked", tuple(replace(i, limit=LIMIT) for i in Smtt({}).instances("screen").instances[:2])
)
ROOMY = InstanceSet("roomy", tuple(replace(i, limit=20 * LIMIT) for i in SET))
SPOILT = InstanceSet(
    "spoilt", (replace(SET.instances[0], reference=1.0 + (SET.instances[0].reference or 0)),)
)
"""With a reference that is too high: what beats it is a bug or a cheat."""


class Shares(PlainTask):
    """Numbers from 0 to 1, the less the better: what the referee of plain tasks refuses is a matter of form."""

    name: str = "shares"
    summary: str = "numbers from 0 to 1"
    direction: Direction = "minimize"
    unit: str = "%"
    version: str = "1"
    interface: Interface = Interface(
        function="schedule",
        summary="Return a number from 0 to 1 for each job.",
        arguments=(PROCESSING_TIMES, DUE_DATES),
        returns=Value("shares", "array", "float64", "one a job", low=0, high=1, length="n"),
    )
    seeds: tuple[str, ...] = ()
    sizes = {"screen": (1, 6), "search": (1, 6), "gate": (1, 6), "final": (1, 6)}  # noqa: RUF012 - a task's data
    limit: float = LIMIT

    def draw(self, draw: Draw, group: str, size: int) -> tuple[Any, ...]:  # noqa: ARG002
        return draw.integers(1, 9, size), draw.integers(1, 9, size)

    def measure(self, processing_times: Any, due_dates: Any, shares: Any) -> float:  # noqa: ARG002
        return float(shares.sum())

    def reference(self, *arguments: Any, **named: Any) -> float:  # noqa: ARG002
        return 0.0


SHARES = Shares({})
SHARES_SET: InstanceSet = SHARES.instances("screen")
