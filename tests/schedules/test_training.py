"""Problems and training: against plain Python, step by step, and what replicas share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import schedule_samples as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.schedules import sgd
from evaluators.schedules.instances import FAMILIES, Spec, generate
from evaluators.schedules.portable import log
from evaluators.schedules.problem import Posed, decode, encode

RATES, SEEDS = (0.05, 0.3), (3, 8, 1)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(oracle.KINDS), st.integers(0, 50), st.lists(st.floats(0, 2), min_size=7, max_size=7))
def test_training_is_what_it_says(kind: str, seed: int, multipliers: list[float]) -> None:
    problem = oracle.small(kind, seed)
    found = sgd.final(problem, np.array(multipliers), RATES, SEEDS)
    wanted = [
        [oracle.objective(problem, oracle.trained(problem, multipliers, rate, s)) for s in SEEDS]
        for rate in RATES
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


@pytest.mark.parametrize("kind", oracle.KINDS)
def test_gradients_are_slopes_of_the_objective(kind: str) -> None:
    """Over all examples, the gradient is the change of the objective along every weight."""
    problem = oracle.small(kind, 5)
    weights = tuple(w + 0.1 * np.cos(np.arange(w.size)).reshape(w.shape) for w in problem.start(1))
    gradient = problem.gradient(weights, problem.features[:, :, None], problem.targets[:, None])
    step = 1e-6
    for layer, slope in enumerate(gradient):
        for at in np.ndindex(slope.shape[:2]):
            ends = []
            for sign in (1.0, -1.0):
                moved = [w.copy() for w in weights]
                moved[layer][at] += sign * step
                ends.append(problem.objective(tuple(moved))[0])
            assert (ends[0] - ends[1]) / (2 * step) == pytest.approx(slope[at][0], abs=2e-6)


@pytest.mark.parametrize("kind", oracle.KINDS)
def test_replicas_do_not_touch_one_another(kind: str) -> None:
    """What a replica comes to is the same to the last bit whatever runs beside it."""
    problem = oracle.small(kind, 2)
    multipliers = np.linspace(1, 0.1, problem.steps)
    whole = sgd.final(problem, multipliers, RATES, SEEDS)
    alone = [[sgd.final(problem, multipliers, [rate], [seed])[0, 0] for seed in SEEDS] for rate in RATES]
    assert whole.tolist() == alone


def test_a_net_with_many_examples_scores_as_one_with_few() -> None:
    """The sum over the inputs is taken in one of two ways, by the number of examples."""
    problem = oracle.small("net", 1, n=90)
    weights = problem.start(2)
    few = [problem.forward(weights, problem.features[:, at : at + 9, None])[-1] for at in range(0, 90, 9)]
    whole = problem.forward(weights, problem.features[:, :, None])[-1]
    assert np.array_equal(np.concatenate(few), whole)


def test_schedules_meet_the_same_batches_and_seeds_do_not() -> None:
    problem = oracle.small("logistic", 4, steps=40)
    one, two = (np.stack(list(sgd.batches(problem, seeds))) for seeds in ((0, 1), (1, 2)))
    assert one.shape == (40, 3, 2) and set(np.unique(one)) == set(range(12))
    assert np.array_equal(one[:, :, 1], two[:, :, 0])
    assert not np.array_equal(one[:, :, 0], one[:, :, 1])
    other = np.stack(list(sgd.batches(replace(problem, seed=9), (0, 1))))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("kind", oracle.KINDS)
def test_paths_and_norms(kind: str) -> None:
    problem = oracle.small(kind, 6)
    multipliers = np.linspace(1, 0.2, problem.steps)
    found = sgd.path(problem, multipliers, 0.2, SEEDS, [0, 3, 7])
    assert found.shape == (3, 3)
    assert found[2].tolist() == sgd.final(problem, multipliers, [0.2], SEEDS)[0].tolist()
    start = oracle.objective(problem, oracle.layers(problem))
    assert found[0] == pytest.approx(3 * [start])
    short = replace(problem, steps=3)
    assert found[1].tolist() == sgd.final(short, multipliers[:3], [0.2], SEEDS)[0].tolist()
    before = oracle.trained(problem, multipliers[:6], 0.2, 8)
    after = oracle.trained(problem, multipliers, 0.2, 8)
    moved = np.concatenate([(np.array(a) - b).ravel() for a, b in zip(before, after, strict=True)])
    norms = sgd.norms(problem, multipliers, 0.2, 8)
    assert len(norms) == 7 and norms[6] == pytest.approx(np.linalg.norm(moved) / (0.2 * 0.2), rel=1e-8)


def test_what_diverges_is_no_number() -> None:
    problem = replace(oracle.small("logistic", 1), l2=10.0, steps=600)
    found = sgd.final(problem, np.ones(600), [1e3, 1e-3], [0])
    assert not np.isfinite(found[0, 0]) and np.isfinite(found[1, 0])


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(oracle.KINDS), st.integers(0, 99))
def test_what_is_encoded_holds_everything(kind: str, seed: int) -> None:
    problem = oracle.small(kind, seed)
    posed = Posed(problem, 0.1 + seed / 7, 2.0 / 3.0)
    found = decode(encode(posed))
    assert (found.optimum, found.rate) == (posed.optimum, posed.rate)
    assert np.array_equal(found.problem.features, problem.features)
    assert np.array_equal(found.problem.targets, problem.targets)
    assert replace(found.problem, features=problem.features, targets=problem.targets) == problem


# -- families ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
def test_families_are_what_they_say(family: str) -> None:
    problem = generate(Spec(family, 50, 4, 7))
    n = len(problem.targets)
    assert (problem.steps, problem.batch, problem.convex) == (50, 4, True)
    assert problem.features[-1].tolist() == n * [1.0]
    assert np.array_equal(problem.features, problem.features.astype(np.float32)), "payloads keep it as it is"
    other = generate(Spec(family, 50, 4, 8))
    assert not np.array_equal(other.features, problem.features)
    start = problem.objective(problem.start(1))[0]
    if problem.loss == "logistic":
        assert set(problem.targets) == set(range(problem.classes))
        assert start == pytest.approx(log(np.array([float(problem.classes)]))[0])
    elif problem.loss == "hinge":
        assert set(problem.targets) == {-1.0, 1.0} and start == 1.0
    spread = problem.features[:-1].std(axis=1)
    if family == "ill-conditioned":
        assert 15 < spread.max() / spread.min() < 60
    lengths = np.sqrt((problem.features[:-1] ** 2).sum(axis=0))
    assert (lengths.max() / np.median(lengths) > 5) == (family == "heavy-tailed")
