"""How much each declared parameter matters, from points that were scored: Optuna's PED-ANOVA."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from searchspaces.space import Choice, FloatRange, IntRange, ParameterValue, Range, Space
from searchspaces.tuner import distribution, readable

if TYPE_CHECKING:
    from typing import Literal

LEAST = 8
"""Scored points below which an importance says nothing."""


def importances(
    space: Space,
    points: Sequence[tuple[Mapping[str, ParameterValue], float]],
    direction: Literal["minimize", "maximize"],
) -> dict[str, float] | None:
    """Shares that sum to 1 by name, the largest first; None for fewer than ``LEAST`` points or equal values throughout.

    Source: Watanabe, Bansal & Hutter (2023), "PED-ANOVA: efficiently quantifying hyperparameter importance in arbitrary
    subspaces"."""
    import optuna

    varied = {n: distribution(r) for n, r in space.items() if not _single(r)}
    if len(points) < LEAST or not varied or len({value for _, value in points}) < 2:
        return None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        study = optuna.create_study(direction=direction)
        for parameters, value in points:
            chosen = {n: parameters[n] for n in varied}
            study.add_trial(optuna.trial.create_trial(params=chosen, distributions=varied, value=value))
        found = optuna.importance.get_param_importances(
            study, evaluator=optuna.importance.PedAnovaImportanceEvaluator()
        )
    shares = {name: float(found.get(name, 0.0)) for name in space}
    if not all(map(math.isfinite, shares.values())):
        return None
    return dict(sorted(shares.items(), key=lambda s: -s[1]))


def scattered(space: Space, count: int, seed: int) -> list[dict[str, ParameterValue]]:
    """``count`` random points of a space, uniform in each range (log ranges: in the logarithm)."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed % 2**32))
    distributions = {name: distribution(r) for name, r in space.items()}
    asked = [study.ask(distributions) for _ in range(count)]
    return [{n: readable(v, space[n]) for n, v in trial.params.items()} for trial in asked]


def grid(declared: Range, count: int) -> list[ParameterValue]:
    """At most ``count`` values from one end of a range to the other, evenly spaced (log ranges: in the logarithm); of a
    choice all."""
    if isinstance(declared, Choice):
        return list(declared.choices)
    low, high = float(declared.low), float(declared.high)
    steps = [k / (count - 1) for k in range(count)]
    if declared.log:
        reached = [low * (high / low) ** s for s in steps]
    else:
        reached = [low + (high - low) * s for s in steps]
    if isinstance(declared, IntRange):
        return list(dict.fromkeys(min(max(round(v), declared.low), declared.high) for v in reached))
    inside = (min(max(v, declared.low), declared.high) for v in reached)
    return list(dict.fromkeys(readable(v, declared) for v in inside))


def _single(declared: Range) -> bool:
    if isinstance(declared, Choice):
        return len(declared.choices) == 1
    assert isinstance(declared, FloatRange | IntRange)
    return declared.low == declared.high
