"""Stochastic gradient descent on many replicas of a problem at once: base rates times seeds.

Step t is x ← x - rate · multiplier(t) · g, where g is the gradient on a batch. Every schedule meets the same batches
under the same seed, so that differences are paired.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from evaluators.bits import draws, stream
from evaluators.schedules.portable import Floats, total
from evaluators.schedules.problem import Problem, Weights

BATCHES = 1
"""First word of the streams that draw batches."""
AT_ONCE = 100
"""So many steps' batches are drawn at once."""


def final(problem: Problem, multipliers: Floats, rates: Sequence[float], seeds: Sequence[int]) -> Floats:
    """The objective after the last step, float64[rates, seeds]; not finite where a run has diverged."""
    replicas = len(rates) * len(seeds)
    with np.errstate(all="ignore"):
        weights = problem.start(replicas)
        for later, _ in descend(problem, multipliers, rates, seeds):
            weights = later
        return problem.objective(weights).reshape(len(rates), len(seeds))


def norms(problem: Problem, multipliers: Floats, rate: float, seed: int) -> Floats:
    """The Euclidean norm of the gradient of each step of one run, float64[steps]."""
    found = []
    with np.errstate(all="ignore"):
        for _, gradient in descend(problem, multipliers, [rate], [seed]):
            found.append(np.sqrt(sum(total((g * g).reshape(-1)) for g in gradient)))
    return np.array(found, np.float64)


def path(
    problem: Problem, multipliers: Floats, rate: float, seeds: Sequence[int], at: Sequence[int]
) -> Floats:
    """The objective after each of the steps ``at`` (rising, from 0: before the first), float64[steps, seeds]."""
    wanted, found = set(at), []
    with np.errstate(all="ignore"):
        if 0 in wanted:
            found.append(problem.objective(problem.start(len(seeds))))
        for step, (weights, _) in enumerate(descend(problem, multipliers, [rate], seeds), 1):
            if step in wanted:
                found.append(problem.objective(weights))
    return np.array(found)


def descend(
    problem: Problem, multipliers: Floats, rates: Sequence[float], seeds: Sequence[int]
) -> Iterator[tuple[Weights, Weights]]:
    """Weights after each step, and the gradient that led there; replica i has rate i // len(seeds) and seed i %
    len(seeds)."""
    of = np.repeat(np.array(rates, np.float64), len(seeds))
    columns = np.tile(np.arange(len(seeds)), len(rates))
    weights = problem.start(len(of))
    for multiplier, rows in zip(multipliers.tolist(), batches(problem, seeds), strict=True):
        chosen = rows[:, columns]
        gradient = problem.gradient(weights, problem.features.take(chosen, axis=1), problem.targets[chosen])
        move = of * multiplier
        weights = tuple(w - move * g for w, g in zip(weights, gradient, strict=True))
        yield weights, gradient


def batches(problem: Problem, seeds: Sequence[int]) -> Iterator[npt.NDArray[np.int64]]:
    """The examples of each step, int64[batch, seeds]; drawn for some steps at a time."""
    n = np.uint64(len(problem.targets))
    streams = [stream(BATCHES, problem.seed, seed) for seed in seeds]
    for first in range(0, problem.steps, AT_ONCE):
        steps = min(AT_ONCE, problem.steps - first)
        drawn = [draws(s, first * problem.batch, steps * problem.batch) % n for s in streams]
        yield from np.stack(drawn, axis=-1).astype(np.int64).reshape(steps, problem.batch, len(seeds))
