"""Small problems of every kind, and training written out in plain Python as an oracle."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from evaluators.bits import draws, stream
from evaluators.schedules import sgd
from evaluators.schedules.problem import Problem, single

KINDS = ("logistic", "hinge", "absolute", "net")


def small(kind: str, seed: int = 0, n: int = 12, steps: int = 7, batch: int = 3) -> Problem:
    """A problem with four features, one of them constant."""
    draw = np.random.default_rng(seed)
    features = single(np.vstack([draw.normal(size=(3, n)), np.ones(n)]))
    if kind in ("logistic", "net"):
        labels = np.concatenate([np.arange(3), draw.integers(0, 3, n - 3)]).astype(np.float64)
        hidden = 5 if kind == "net" else 0
        return Problem("logistic", features, labels, 3, 0.01, hidden, batch, steps, seed)
    if kind == "hinge":
        labels = np.where(draw.random(n) < 0.5, -1.0, 1.0)
        labels[:2] = -1.0, 1.0
        return Problem("hinge", features, labels, batch=batch, steps=steps, seed=seed)
    return Problem("absolute", features, single(draw.normal(size=n)), batch=batch, steps=steps, seed=seed)


Layers = list[list[list[float]]]


def layers(problem: Problem) -> Layers:
    """The weights at the start, [layer][input][output]."""
    return [layer[:, :, 0].tolist() for layer in problem.start(1)]


def scores(problem: Problem, weights: Layers, row: Sequence[float]) -> tuple[list[float], list[float]]:
    """What goes into the last layer, and the scores."""
    inner = list(row)
    if problem.hidden:
        inner = [max(0.0, sum(w[h] * x for w, x in zip(weights[0], row))) for h in range(problem.hidden)]  # noqa: B905
        inner.append(1.0)
    last = weights[-1]
    return inner, [sum(w[k] * x for w, x in zip(last, inner)) for k in range(problem.classes)]  # noqa: B905


def loss(problem: Problem, found: Sequence[float], target: float) -> float:
    if problem.loss == "absolute":
        return abs(found[0] - target)
    if problem.loss == "hinge":
        return max(0.0, 1.0 - found[0] * target)
    return math.log(sum(math.exp(s - found[int(target)]) for s in found))


def slopes(problem: Problem, found: Sequence[float], target: float) -> list[float]:
    if problem.loss == "absolute":
        return [math.copysign(1.0, found[0] - target)]
    if problem.loss == "hinge":
        return [-target if found[0] * target < 1.0 else 0.0]
    whole = sum(math.exp(s) for s in found)
    return [math.exp(s) / whole - (k == target) for k, s in enumerate(found)]


def objective(problem: Problem, weights: Layers) -> float:
    rows = problem.features.T.tolist()
    losses = [
        loss(problem, scores(problem, weights, row)[1], t)
        for row, t in zip(rows, problem.targets.tolist(), strict=True)
    ]
    squares = sum(w * w for layer in weights for row in layer for w in row)
    return sum(losses) / len(losses) + 0.5 * problem.l2 * squares


def trained(problem: Problem, multipliers: Sequence[float], rate: float, seed: int) -> Layers:
    """Weights after the last step, by the definition."""
    weights, rows, used = layers(problem), problem.features.T.tolist(), 0
    stream_of = stream(sgd.BATCHES, problem.seed, seed)
    for multiplier in multipliers:
        drawn = [int(b) % len(rows) for b in draws(stream_of, used, problem.batch)]
        used += problem.batch
        gradient = [[[problem.l2 * w for w in row] for row in layer] for layer in weights]
        for example in drawn:
            row = rows[example]
            inner, found = scores(problem, weights, row)
            slope = [s / problem.batch for s in slopes(problem, found, problem.targets[example])]
            for i, x in enumerate(inner):
                for k, s in enumerate(slope):
                    gradient[-1][i][k] += x * s
            if problem.hidden:
                for h in range(problem.hidden):
                    back = sum(weights[1][h][k] * s for k, s in enumerate(slope)) if inner[h] > 0 else 0.0
                    for i, x in enumerate(row):
                        gradient[0][i][h] += x * back
        for layer, change in zip(weights, gradient, strict=True):
            for row, grow in zip(layer, change, strict=True):
                for k, g in enumerate(grow):
                    row[k] -= rate * multiplier * g
    return weights
