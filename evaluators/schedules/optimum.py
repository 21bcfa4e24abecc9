"""The least objective of a convex problem, each with a certificate of how far off it can be.

- ``logistic`` with a penalty: L-BFGS. The objective is l2-strongly convex, so that it lies at most |gradient|² / (2 l2)
  above its minimum;
- ``hinge`` and ``absolute``: a linear program (HiGHS), whose dual solution is a lower bound.

Only who makes references or reads the user's data needs it; scores take what was found.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluators.schedules.portable import Floats
from evaluators.schedules.problem import Problem
from evaluators.task import TaskError

ENOUGH = 1e-7
"""The certificate's largest share of what there is to gain, start less optimum."""

LEAST = 1e-6
"""The least that there must be to gain, as a share of the objective at the start."""


@dataclass(frozen=True)
class Optimum:
    """An objective that ``weights`` float64[d, K] reach, at most ``off`` above the least one."""

    value: float
    off: float
    weights: Floats


def least(problem: Problem) -> float:
    """The least objective; of a net 0, which none is below. Raises TaskError where it cannot be found closely."""
    if not problem.convex:
        return 0.0
    found = solve(problem)
    start = float(problem.objective(problem.start(1))[0])
    if not start - found.value > LEAST * start:
        raise TaskError(
            f"the least {problem.loss} objective is where training begins, at weights 0, so that there is nothing to "
            "learn; tell features that say something of the labels"
        )
    if not found.off <= ENOUGH * (start - found.value):
        raise TaskError(
            f"the least {problem.loss} objective is known to {found.off:.1g} only, where training begins "
            f"{start - found.value:.1g} above it; scale the features, or raise l2"
        )
    return found.value


def solve(problem: Problem) -> Optimum:
    """The optimum of a convex problem, by the method of its loss. Raises TaskError where there is none."""
    if problem.loss == "logistic":
        return _smooth(problem)
    return _linear(problem)


def _value(problem: Problem, weights: Floats) -> float:
    return float(problem.objective((weights[:, :, None],))[0])


def _smooth(problem: Problem) -> Optimum:
    from scipy.optimize import minimize  # heavy, and needed by few

    if problem.l2 <= 0:
        raise TaskError("logistic regression without a penalty need not have an optimum; set l2 above 0")
    d, n = problem.features.shape
    own = problem.chosen(problem.targets[:, None])[:, :, 0]

    def both(flat: Floats) -> tuple[float, Floats]:
        weights = flat.reshape(d, -1)
        scores = problem.features.T @ weights
        scores -= scores.max(axis=1, keepdims=True)
        mass = np.exp(scores)
        whole = mass.sum(axis=1, keepdims=True)
        value = (np.log(whole[:, 0]) - scores[own]).mean() + 0.5 * problem.l2 * flat @ flat
        slope = problem.features @ (mass / whole - own) / n + problem.l2 * weights
        return value, slope.ravel()

    options = {"maxiter": 50_000, "maxfun": 100_000, "maxcor": 50, "ftol": 0.0, "gtol": 1e-12}
    found = minimize(both, np.zeros(d * problem.classes), jac=True, method="L-BFGS-B", options=options)
    gradient = both(found.x)[1]
    weights = np.asarray(found.x, np.float64).reshape(d, -1)
    return Optimum(_value(problem, weights), float(gradient @ gradient) / (2 * problem.l2), weights)


def _linear(problem: Problem) -> Optimum:
    """Least mean of m slacks s ≥ 0: rows - A w - s ≤ c for the loss's pieces."""
    from scipy.optimize import linprog
    from scipy.sparse import csr_array, hstack, identity, vstack

    if problem.l2:
        raise TaskError(f"the {problem.loss} loss with a penalty is no linear program; set l2 to 0")
    d, n = problem.features.shape
    one: Any = identity(n, format="csr")
    if problem.loss == "hinge":  # 1 - y x·w ≤ s
        rows: Any = hstack([csr_array(-(problem.features * problem.targets).T), -one])
        right = -np.ones(n)
    else:  # x·w - y ≤ s and y - x·w ≤ s
        x = csr_array(problem.features.T)
        rows = vstack([hstack([x, -one]), hstack([-x, -one])])
        right = np.concatenate([problem.targets, -problem.targets])
    cost = np.concatenate([np.zeros(d), np.full(n, 1.0 / n)])
    bounds = [(None, None)] * d + [(0, None)] * n
    found = linprog(cost, A_ub=rows, b_ub=right, bounds=bounds, method="highs")
    if not found.success:
        raise TaskError(f"the linear program of the {problem.loss} loss was not solved: {found.message}")
    weights = np.asarray(found.x[:d], np.float64)[:, None]
    value = _value(problem, weights)
    return Optimum(value, max(0.0, value - float(right @ found.ineqlin.marginals)), weights)
