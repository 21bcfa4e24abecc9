"""A task for tests only that scores one thing and wants another kept: look at few items, and yet at nearly all of the
weight. The score is the speed-up over looking at all, the raw objective the weight that was seen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluators.plain import Draw, PlainTask
from evaluators.plain_adapter import unpack
from evaluators.task import Instance, InstanceSet, Interface, InvalidAnswer, Judgement, Value

KEPT, KEPT_IN_CLASS = 0.95, 0.9
"""The part of the weight that is to be seen, over a set and over each of its classes."""


class Glance(PlainTask):
    name = "glance"
    summary = "look at few items, and at nearly all of their weight"
    direction = "maximize"
    unit = "% of the speed of looking at all"
    version = "1"
    interface = Interface(
        function="look",
        summary="Return for each item whether to look at it.",
        arguments=(Value("weights", "array", "int64", "weight of each item", unit="kg", low=1, length="n"),),
        returns=Value("looked", "mask", "bool", "true for what is looked at", length="n"),
    )
    seeds = ("heavy", "trivial")
    groups = ("even", "wild")
    sizes = {"screen": (4, 12), "search": (24, 24), "gate": (24, 30), "final": (12, 36)}  # noqa: RUF012
    reference_kind = "proved optimum"
    gate_blocks = 2

    def draw(self, draw: Draw, group: str, size: int) -> tuple[Any, ...]:
        return (draw.integers(1, 9, size) ** (2 if group == "even" else 4),)

    def measure(self, weights: Any, looked: Any) -> float:
        if not looked.any():
            raise InvalidAnswer("nothing is looked at")
        return float(weights[looked].sum())

    def reference(self, weights: Any) -> float:
        """Nobody sees more than all."""
        return float(weights.sum())

    def judge(self, instance: Instance, answer: bytes) -> Judgement:
        seen = super().judge(instance, answer)
        return replace(seen, score=100 * instance.size / sum(answer))

    def breach(self, instances: InstanceSet, values: Sequence[float]) -> str | None:
        pairs = list(zip(instances, values, strict=True))
        share = _seen(pairs)
        if share < KEPT:
            return f"{100 * share:.1f} % of the weight is seen; at least {100 * KEPT:g} % must be"
        for group in sorted({i.group for i in instances}):
            share = _seen((i, v) for i, v in pairs if i.group == group)
            if share < KEPT_IN_CLASS:
                least = 100 * KEPT_IN_CLASS
                return f"{100 * share:.1f} % of the weight is seen in class {group}; at least {least:g} % must be"
        return None


def _seen(pairs: Iterable[tuple[Instance, float]]) -> float:
    found = [(v, float(unpack(i.payload)[0][0].sum())) for i, v in pairs]
    return sum(v for v, _ in found) / sum(total for _, total in found)


def code(name: str) -> str:
    """The text of a baseline."""
    return (Path(__file__).parent / "baselines" / f"{name}.py").read_text(encoding="utf-8")


def heaviest(share: float, *, on_gate: float | None = None) -> str:
    """A candidate that looks at this ``share`` of the items, the heaviest ones; at another one in sets after search."""
    chosen = repr(share) if on_gate is None else f"({share!r} if len(weights) <= 24 else {on_gate!r})"
    return (
        "import numpy as np\n\n\ndef look(weights):\n"
        f"    least = np.quantile(weights, 1 - {chosen})\n    return weights >= least\n"
    )
