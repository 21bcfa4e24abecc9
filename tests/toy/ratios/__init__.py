"""A plain task for tests only whose scores are ratios: order jobs of very different lengths so that the dear ones end
early. Speed-ups over the order in which they come, averaged geometrically."""

from __future__ import annotations

from typing import Any

import numpy as np

from evaluators.plain import Draw, PlainTask
from evaluators.task import Interface, Value


class Ratios(PlainTask):
    name = "ratios"
    summary = "order jobs so that they wait less than in the order in which they come"
    direction = "maximize"
    unit = "% of the greatest speed-up"
    version = "1"
    mean = "geometric"
    interface = Interface(
        function="rank",
        summary="Return a number for each job; the highest runs first.",
        arguments=(
            Value("times", "array", "int64", "time of each job", unit="time", low=1, length="n"),
            Value("weights", "array", "int64", "what a unit of time until its end costs", low=1, length="n"),
        ),
        returns=Value("ranks", "array", "float64", "the highest is first", low=-1e12, high=1e12, length="n"),
    )
    seeds = ("trivial",)
    groups = ("even", "wild")
    sizes = {"screen": (4, 4), "search": (24, 8), "gate": (24, 10), "final": (12, 12)}  # noqa: RUF012
    reference_kind = "proved optimum"
    gate_blocks = 2

    def draw(self, draw: Draw, group: str, size: int) -> tuple[Any, ...]:
        return draw.integers(1, 9, size) ** (1 if group == "even" else 4), draw.integers(1, 9, size)

    def measure(self, times: Any, weights: Any, ranks: Any) -> float:
        order = np.argsort(-ranks, kind="stable")
        return waited(times, weights) / waited(times[order], weights[order])

    def reference(self, times: Any, weights: Any) -> float:
        """By weight for time is best (Smith 1956)."""
        return self.measure(times, weights, weights / times)


def waited(times: Any, weights: Any) -> float:
    return float(weights @ np.cumsum(times))
