"""What a schedule looks like, and what training with it comes to, beside linear decay."""

from __future__ import annotations

import numpy as np

from evaluators.pictures import Curve, Curves
from evaluators.schedules import referee, sgd
from evaluators.schedules.portable import Floats, total
from evaluators.schedules.problem import Posed, decode
from evaluators.task import Instance

POINTS = 100
"""Of a curve, at most."""
SEEDS = referee.SCORING[:16]


def pictures(instance: Instance, answer: bytes) -> tuple[Curves, ...]:
    """Two pictures: rates over the steps, and mean gaps over the steps. Raises InvalidAnswer."""
    posed = decode(instance.withheld)
    steps = posed.problem.steps
    shape = referee.shaped(np.frombuffer(answer, "<f8").astype(np.float64))
    named = {"the answer": shape, "linear decay": referee.shaped(referee.linear(steps))}
    found = {name: (one, referee.trained(posed, one)) for name, one in named.items()}
    at = np.unique(np.linspace(1, steps, min(POINTS, steps)).round().astype(int)).tolist()
    rates = tuple(
        Curve(name, tuple((step, made.rate * float(one[step - 1])) for step in at))
        for name, (one, made) in found.items()
    )
    gaps = tuple(
        Curve(name, tuple(zip([0, *at], _gaps(posed, one, made.rate, [0, *at]), strict=True)))
        for name, (one, made) in found.items()
    )
    return (
        Curves(
            title=f"learning rates on {instance.id}",
            caption="Each schedule at the base rate that suits it.",
            across="steps",
            up="learning rate",
            curves=rates,
        ),
        Curves(
            title=f"gap to the optimum on {instance.id}",
            caption="Mean over seeds of what is missed after so many steps; only the end counts. Logarithmic.",
            across="steps",
            up="gap",
            curves=gaps,
            logarithmic=True,
        ),
    )


def _gaps(posed: Posed, shape: Floats, rate: float, at: list[int]) -> list[float]:
    """Mean gaps over some seeds after each of the steps, within what the referee counts."""
    start = referee.start_gap(posed)
    found = sgd.path(posed.problem, shape, rate, SEEDS, at) - posed.optimum
    found = np.where(found < referee.WORST * start, found, referee.WORST * start)
    means = total(found.T) / len(SEEDS)
    return [max(float(mean), referee.FLOOR * start) for mean in means]
