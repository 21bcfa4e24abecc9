"""Optima: certificates, other solvers, and cases whose optimum is known by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import schedule_samples as oracle
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize, minimize_scalar

from evaluators.schedules import optimum
from evaluators.schedules.instances import FAMILIES, Spec, generate
from evaluators.schedules.problem import Problem
from evaluators.task import TaskError


def constant(loss: str, targets: list[float], classes: int = 1, l2: float = 0.0) -> Problem:
    """A problem with the constant feature alone."""
    return Problem(loss, np.ones((1, len(targets))), np.array(targets), classes, l2)  # type: ignore[arg-type]


@settings(max_examples=30)
@given(st.lists(st.integers(-50, 50), min_size=1, max_size=15))
def test_the_best_constant_under_absolute_loss_is_a_median(values: list[int]) -> None:
    targets = [float(v) for v in values]
    found = optimum.solve(constant("absolute", targets))
    assert found.value == pytest.approx(np.abs(np.array(targets) - np.median(targets)).mean(), abs=1e-9)
    assert found.off <= 1e-9


@settings(max_examples=20)
@given(st.integers(1, 9), st.integers(1, 9))
def test_the_best_constant_under_hinge_loss_follows_the_majority(up: int, down: int) -> None:
    found = optimum.solve(constant("hinge", [1.0] * up + [-1.0] * down))
    assert found.value == pytest.approx(2 * min(up, down) / (up + down), abs=1e-9)


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from([0.001, 0.1, 3.0]))
def test_the_best_constant_of_two_classes(up: int, down: int, l2: float) -> None:
    """By symmetry the two weights are s and -s: one number is left to find."""
    problem = constant("logistic", [0.0] * up + [1.0] * down, 2, l2)

    def value(s: float) -> float:
        return oracle.objective(problem, [[[s, -s]]])

    wanted = minimize_scalar(value, bounds=(-20, 20), method="bounded", options={"xatol": 1e-10}).fun
    assert optimum.solve(problem).value == pytest.approx(wanted, abs=1e-9)


@pytest.mark.parametrize("family", FAMILIES)
def test_nothing_is_below_an_optimum(family: str) -> None:
    """A solver that knows nothing of the loss begins there and finds nothing better; a step to any side is worse."""
    problem = generate(Spec(family, 50, 4, 3))
    found = optimum.solve(problem)
    start = problem.objective(problem.start(1))[0]
    assert 0 <= found.off <= 1e-10 * (start - found.value)
    assert optimum.least(problem) == found.value == problem.objective((found.weights[:, :, None],))[0]

    def value(flat: np.ndarray) -> float:
        return float(problem.objective((flat.reshape(*found.weights.shape, 1),))[0])

    flat = found.weights.ravel()
    wandered = minimize(value, flat, method="Powell", options={"maxfev": 2000})
    assert wandered.fun >= found.value - 1e-9
    draw = np.random.default_rng(1)
    for size in (1e-3, 0.1):
        for _ in range(20):
            assert value(flat + size * draw.normal(size=flat.shape)) >= found.value - 1e-12
    assert value(np.zeros_like(flat)) > found.value + 0.01


def test_another_solver_finds_the_same_from_elsewhere() -> None:
    problem = generate(Spec("separable", 50, 4, 3))

    def both(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = (flat.reshape(len(problem.features), -1, 1),)
        gradient = problem.gradient(weights, problem.features[:, :, None], problem.targets[:, None])
        return float(problem.objective(weights)[0]), gradient[0].ravel()

    begin = np.random.default_rng(2).normal(size=len(problem.features) * problem.classes)
    found = minimize(both, begin, jac=True, method="CG", options={"gtol": 1e-9, "maxiter": 20_000})
    assert optimum.least(problem) == pytest.approx(found.fun, abs=1e-9)


def test_what_has_no_optimum_or_none_that_is_found_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TaskError, match="set l2 above 0"):
        optimum.least(replace(oracle.small("logistic"), l2=0.0))
    with pytest.raises(TaskError, match="set l2 to 0"):
        optimum.least(replace(oracle.small("hinge"), l2=0.1))
    problem = oracle.small("logistic")
    rough = replace(optimum.solve(problem), off=0.01)
    monkeypatch.setattr(optimum, "solve", lambda _: rough)
    with pytest.raises(TaskError, match=r"known to 0\.01 only"):
        optimum.least(problem)


def test_of_a_net_nothing_is_known_but_that_losses_are_not_negative() -> None:
    assert optimum.least(oracle.small("net")) == 0.0
