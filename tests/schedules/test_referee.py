"""The referee of ``lr-schedule``: what counts, what does not, and what is refused."""

from __future__ import annotations

import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import schedule_samples as oracle
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.registry import load
from evaluators.schedules import optimum, referee, sgd, splits
from evaluators.schedules.instances import Spec, generate
from evaluators.schedules.portable import Floats
from evaluators.schedules.problem import decode
from evaluators.task import Instance, InvalidAnswer

TASK = load("lr-schedule")


@cache
def one(family: str = "logistic") -> Instance:
    """A problem of forty steps that no split has."""
    problem = generate(Spec(family, 40, 8, 77))
    posed, gap = referee.posed(problem, optimum.least(problem))
    return splits.instance(f"{family}-77", family, posed, gap)


def answer(multipliers: Floats | list[float]) -> bytes:
    return np.asarray(multipliers, "<f8").tobytes()


def score(multipliers: Floats | list[float], family: str = "logistic") -> float:
    return TASK.judge(one(family), answer(multipliers)).score


# -- what counts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("split", ["screen", "search"])
def test_linear_decay_scores_one(split: str) -> None:
    for i in TASK.instances(split):  # type: ignore[arg-type]
        assert TASK.judge(i, answer(referee.linear(i.size))).score == 1.0, i.id
        assert i.reference_kind == "baseline" and i.answer_bytes == 8 * i.size


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(0.1, 1.0), min_size=40, max_size=40), st.integers(-9, 19))
def test_the_level_of_a_schedule_changes_nothing(multipliers: list[float], power: int) -> None:
    """By a power of 2 not the last bit."""
    shape = np.array(multipliers)
    assert score(shape * 2.0**power) == score(shape)
    assert score(shape * 1.7) == pytest.approx(score(shape), rel=1e-6)


def test_a_schedule_is_trained_at_the_best_base_rate() -> None:
    """Against all rates of a finer and wider grid, on the seeds for tuning."""
    posed = decode(one().withheld)
    for shape in (np.ones(40), np.linspace(2, 0, 40), np.repeat([1.9, 0.1], 20)):
        shape = referee.shaped(shape)
        rate = referee.tuned(posed, shape)
        grid = [posed.rate * 2.0 ** (k / 8) for k in range(-64, 65)]
        means = referee.gaps(posed, shape, grid, referee.TUNING)
        (own,) = referee.gaps(posed, shape, [rate], referee.TUNING)
        assert own <= means.min() * 1.03


@pytest.mark.parametrize("factor", [2.0**-15, 2.0**9])
def test_the_search_of_a_rate_goes_on_at_the_edge(factor: float) -> None:
    """Wherever it begins it comes to the same rate."""
    posed = decode(one().withheld)
    shape = referee.shaped(referee.linear(40))
    astray = replace(posed, rate=posed.rate * factor)
    assert referee.tuned(astray, shape) == referee.tuned(posed, shape)


def test_what_is_tuned_and_what_counts_are_other_seeds() -> None:
    seeds = (*referee.TUNING, *referee.SCORING, referee.PILOT)
    assert len(set(seeds)) == len(seeds) and set(referee.COARSE) <= set(referee.TUNING)
    posed = decode(one().withheld)
    shape = referee.shaped(np.ones(40))
    found = referee.trained(posed, shape)
    ends = sgd.final(posed.problem, shape, [found.rate], referee.SCORING)
    assert found.gap == pytest.approx(float((ends - posed.optimum).mean()), rel=1e-12)
    judged = TASK.judge(one(), answer(np.ones(40)))
    assert judged.value == found.gap and judged.score == found.gap / (one().reference or 0.0)


def test_good_schedules_are_better_than_bad_ones() -> None:
    """What every textbook says: the last iterate of a constant rate is noisy, and one that ends high is worse."""
    falling = referee.linear(40)
    for family in ("logistic", "absolute", "hinge"):
        assert score(falling, family) == 1.0 < score(np.ones(40), family) < score(falling[::-1], family)


def test_the_pilot_run_is_linear_decays() -> None:
    posed = decode(one().withheld)
    shape = referee.shaped(referee.linear(40))
    wanted = sgd.norms(posed.problem, shape, posed.rate, referee.PILOT)
    assert referee.pilot(posed) == pytest.approx(wanted, rel=1e-6)
    told = np.frombuffer(one().payload, "<f4", offset=4)
    assert told.tolist() == referee.pilot(posed).tolist() and len(told) == 40


# -- gaps that are none -----------------------------------------------------------------------------------------------


def test_gaps_stay_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gap of 0 counts as a little above, one without end as ten times the start."""
    posed = decode(one().withheld)
    start = referee.start_gap(posed)
    ends = {0.0: posed.optimum, 1.0: math.nan, 2.0: math.inf, 3.0: posed.optimum + 99 * start}
    monkeypatch.setattr(
        sgd, "final", lambda _, __, rates, seeds: np.array([[ends[r]] * len(seeds) for r in rates])
    )
    found = referee.gaps(posed, np.ones(40), [0.0, 1.0, 2.0, 3.0], (0, 1))
    assert found.tolist() == [0.0] + 3 * [referee.WORST * start]
    monkeypatch.setattr(referee, "tuned", lambda *_: 0.0)
    assert referee.trained(posed, np.ones(40)).gap == referee.FLOOR * start > 0


def test_no_gap_of_a_split_is_near_the_floor() -> None:
    """So that it decides nothing but the scores of what cannot be."""
    for i in (*TASK.instances("search"), *TASK.instances("gate")):
        assert i.reference is not None
        assert i.reference > 50 * referee.FLOOR * referee.start_gap(decode(i.withheld)), i.id


def test_a_schedule_that_diverges_at_every_rate_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sgd, "final", lambda _, __, rates, seeds: np.full((len(rates), len(seeds)), np.nan))
    with pytest.raises(InvalidAnswer, match="diverges"):
        referee.trained(decode(one().withheld), np.ones(40))


def test_a_schedule_of_one_step_has_a_score() -> None:
    for at in (0, 39):
        spike = np.zeros(40)
        spike[at] = 1e6
        assert 1.0 < score(spike) < 100.0


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "step 6 is nan"),
        (math.inf, "step 6 is inf"),
        (-1e-9, "step 6 is -1e-09; expected numbers from 0"),
        (1.1e6, r"step 6 is 1.1e\+06"),
    ],
)
def test_wrong_multipliers_are_refused(value: float, reason: str) -> None:
    multipliers = np.ones(40)
    multipliers[5] = value
    with pytest.raises(InvalidAnswer, match=reason):
        score(multipliers)


def test_nothing_at_all_is_refused() -> None:
    with pytest.raises(InvalidAnswer, match="nothing is learned"):
        score(np.zeros(40))
    with pytest.raises(InvalidAnswer, match="312 bytes; 40 steps need 320"):
        score(np.ones(39))
    with pytest.raises(ValueError, match="no reference"):
        TASK.judge(replace(one(), reference=None), answer(np.ones(40)))


def test_figures() -> None:
    instances = [replace(one(), group=g, reference=2.0) for g in ("a", "a", "b")]
    better, worst = TASK.figures(instances, [1.0, 4.0, 3.0])
    assert (better.value, better.unit) == (1.0, "of 3")
    assert worst.name == "worst class (b)" and worst.value == pytest.approx(1.5)
    assert TASK.figures([replace(one(), reference=None)], [1.0]) == ()


def test_oracles_agree_with_the_referee() -> None:
    """The score of record, by plain Python: mean gap over the seeds that count."""
    problem = oracle.small("absolute", 3)
    least = optimum.least(problem)
    posed, _ = referee.posed(problem, least)
    shape = referee.shaped(np.linspace(1, 0.3, 7))
    found = referee.trained(posed, shape)
    ends = [
        oracle.objective(problem, oracle.trained(problem, shape.tolist(), found.rate, seed))
        for seed in referee.SCORING
    ]
    assert found.gap == pytest.approx(float(np.mean(ends)) - least, rel=1e-8)
