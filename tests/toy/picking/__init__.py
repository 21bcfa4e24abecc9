"""A plain task for tests only: pick items into a bag. Scalars, floats and a mask, maximised, against a bound."""

from __future__ import annotations

from typing import Any

import numpy as np

from evaluators.plain import Draw, PlainTask
from evaluators.task import Interface, InvalidAnswer, Option, Value


class Picking(PlainTask):
    name = "picking"
    summary = "pick items of great value into a bag"
    direction = "maximize"
    unit = "% of the bound"
    version = "1"
    interface = Interface(
        function="pick",
        summary="Say for each item whether it goes into the bag.",
        arguments=(
            Value("values", "array", "float64", "value of each item", low=0, high=1000, length="n"),
            Value("volumes", "array", "int64", "volume of each item", unit="litre", low=1, length="n"),
            Value("capacity", "scalar", "int64", "volume of the bag", unit="litre", low=1),
        ),
        returns=Value("picked", "mask", "bool", "whether the item goes in", length="n"),
    )
    seeds = ("trivial",)
    options = (Option("room", "half", "how much fits", ("half", "quarter")),)
    sizes = {"screen": (3, 6), "search": (12, 10), "gate": (12, 20), "final": (6, 30)}  # noqa: RUF012
    gate_blocks = 2

    def draw(self, draw: Draw, group: str, size: int) -> tuple[Any, ...]:  # noqa: ARG002
        volumes = draw.integers(1, 9, size)
        return (
            draw.floats(0, 1000, size),
            volumes,
            volumes.sum() // {"half": 2, "quarter": 4}[self.settings["room"]],
        )

    def measure(self, values: Any, volumes: Any, capacity: int, picked: Any) -> float:
        if volumes[picked].sum() > capacity:
            raise InvalidAnswer(f"the bag holds {capacity} litre")
        return float(values[picked].sum())

    def reference(self, values: Any, volumes: Any, capacity: int) -> float:
        order = np.argsort(-values / volumes)
        left = capacity - np.concatenate([[0], np.cumsum(volumes[order])[:-1]])
        return float((values[order] * np.clip(left / volumes[order], 0, 1)).sum())
