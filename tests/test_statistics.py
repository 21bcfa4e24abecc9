"""The tests that decide: against exact enumeration, under a simulated null, and as pure functions of scores."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from discovery.progress import gain
from discovery.statistics import (
    FLIPS,
    GATE_LEVEL,
    MARGIN,
    MOST_FLIPS,
    STOP_LEVEL,
    EarlyStop,
    alpha,
    flips_for,
    gains,
    holm,
    one_sided_p,
    paired_interval,
    paired_test,
    quarters,
    relative,
    weights,
)
from evaluators.task import Direction, Instance, Mean, TaskError, aggregate

scores = st.lists(st.floats(0.1, 100, allow_nan=False), min_size=4, max_size=40)


def exact_p(
    candidate: list[float], champion: list[float], groups: list[str], direction: Direction, margin: float
) -> float:
    """The same null by all 2**n sign patterns, written independently: means of group means in plain Python."""
    sign = 1 if direction == "minimize" else -1
    shifted = [sign * (b - a) - margin * abs(b) for a, b in zip(candidate, champion, strict=True)]

    def statistic(values: list[float]) -> float:
        cells: dict[str, list[float]] = {}
        for g, v in zip(groups, values, strict=True):
            cells.setdefault(g, []).append(v)
        return sum(sum(c) / len(c) for c in cells.values()) / len(cells)

    observed = statistic(shifted)
    flips = [
        statistic([s * v for s, v in zip(p, shifted, strict=True)])
        for p in product((1, -1), repeat=len(shifted))
    ]
    return sum(f >= observed - 1e-12 for f in flips) / len(flips)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
@pytest.mark.parametrize("margin", [0.0, MARGIN, -MARGIN, 0.2])
def test_p_is_that_of_all_sign_patterns(direction: Direction, margin: float) -> None:
    rng = np.random.default_rng(5)
    for n in (1, 2, 5, 8, 10):
        champion = list(rng.uniform(5, 20, n))
        candidate = [
            c + d
            for c, d in zip(
                champion, rng.normal(-0.5 if direction == "minimize" else 0.5, 1.5, n), strict=True
            )
        ]
        groups = [f"g{k % 3}" for k in range(n)]
        expected = exact_p(candidate, champion, groups, direction, margin)
        found = paired_test(candidate, champion, groups, direction, 11, margin=margin).p
        error = 5 * math.sqrt(expected * (1 - expected) / FLIPS) + 2 / FLIPS
        assert abs(found - expected) <= error, (n, found, expected)


def test_more_than_64_instances_flip_independently() -> None:
    """The signs come from words of 64 bits; the variance of the sums shows that no bit is used twice."""
    rng = np.random.default_rng(0)
    champion = rng.uniform(5, 20, 150)
    candidate = champion - rng.normal(0.1, 1, 150)
    gain = champion - candidate
    normal = stats.norm.sf(gain.sum() / math.sqrt((gain**2).sum()))
    found = paired_test(list(candidate), list(champion), ["g"] * 150, "minimize", 3, margin=0.0)
    assert found.p == pytest.approx(normal, abs=0.01)


def test_every_class_counts_alike() -> None:
    """Nine instances of one class do not outvote one instance of another."""
    groups = ["many"] * 9 + ["one"]
    champion = [10.0] * 10
    candidate = [9.0] * 9 + [11.0]
    assert paired_test(candidate, champion, groups, "minimize", 1).effect == pytest.approx(0.0)
    assert paired_test(candidate, champion, ["all"] * 10, "minimize", 1).effect == pytest.approx(0.08)
    assert weights(groups).sum() == pytest.approx(1.0) and weights(groups)[9] == pytest.approx(0.5)


def test_direction_turns_the_verdict() -> None:
    low, high, groups = [float(k) for k in range(1, 13)], [float(k) + 1 for k in range(1, 13)], ["g"] * 12
    assert paired_test(low, high, groups, "minimize", 1).p < 0.01
    assert paired_test(low, high, groups, "maximize", 1).p > 0.99
    assert paired_test(high, low, groups, "maximize", 1).p < 0.01
    assert (
        paired_test(low, high, groups, "minimize", 1).effect
        > 0
        > paired_test(low, high, groups, "maximize", 1).effect
    )


def test_the_margin_must_be_beaten_not_met() -> None:
    champion, groups = [100.0 + k for k in range(20)], ["a", "b"] * 10
    just_below = [0.996 * c for c in champion]
    well_above = [0.99 * c for c in champion]
    assert paired_test(just_below, champion, groups, "minimize", 1).p > 0.99
    assert paired_test(just_below, champion, groups, "minimize", 1, margin=0.0).p < 0.001
    assert paired_test(well_above, champion, groups, "minimize", 1).p < 0.001
    assert paired_test(champion, champion, groups, "minimize", 1, margin=0.0).p == 1.0, "a tie is no gain"


def test_negative_scores_have_a_margin_too() -> None:
    champion, groups = [-100.0 + k for k in range(20)], ["g"] * 20
    assert paired_test([c - 2 for c in champion], champion, groups, "minimize", 1).p < 0.001
    assert paired_test([c - 0.1 for c in champion], champion, groups, "minimize", 1).p > 0.99


def test_p_is_a_function_of_the_seed() -> None:
    rng = np.random.default_rng(1)
    a, b = list(rng.uniform(1, 2, 30)), list(rng.uniform(1, 2, 30))
    found = [paired_test(a, b, ["g"] * 30, "minimize", seed) for seed in (1, 1, 2)]
    assert found[0] == found[1] and found[0].p != found[2].p
    assert found[0].p == pytest.approx(found[2].p, abs=0.01)
    assert found[0].effect == found[2].effect


def test_the_smallest_p_is_one_in_a_hundred_thousand() -> None:
    assert paired_test([1.0] * 40, [2.0] * 40, ["g"] * 40, "minimize", 1).p == 1 / (1 + FLIPS)


def test_a_look_has_flips_enough_to_pass() -> None:
    assert [flips_for(k) for k in (1, 17)] == [FLIPS, FLIPS] and FLIPS < flips_for(18) < flips_for(174)
    assert all(10 / (1 + flips_for(k)) < alpha(k) for k in range(1, 175))
    assert flips_for(175) == flips_for(551) == MOST_FLIPS and alpha(551) > 1 / (1 + MOST_FLIPS)
    assert flips_for(552) == FLIPS and alpha(552) < 1 / (1 + MOST_FLIPS), "nothing can be won there"


def test_more_flips_give_smaller_p() -> None:
    found = paired_test([1.0] * 40, [2.0] * 40, ["g"] * 40, "minimize", 1, flips=flips_for(56))
    assert found.p == 1 / (1 + flips_for(56)) < alpha(56) < 1 / (1 + FLIPS)


def test_the_interval_holds_the_effect() -> None:
    rng = np.random.default_rng(4)
    champion = rng.uniform(5, 20, 60)
    found = paired_test(list(champion - rng.normal(1, 1, 60)), list(champion), ["a", "b"] * 30, "minimize", 1)
    assert found.low < found.effect < found.high and found.low > 0


def test_a_champion_of_zero_gives_no_ratio() -> None:
    found = paired_test([-1.0] * 8, [0.0] * 8, ["g"] * 8, "minimize", 1)
    assert (found.effect, found.low, found.high) == (0.0, 0.0, 0.0) and found.p < 0.01


@pytest.mark.parametrize("lengths", [(3, 4, 4), (4, 3, 4), (4, 4, 3)])
def test_unequal_lengths_are_refused(lengths: tuple[int, int, int]) -> None:
    a, b, c = lengths
    with pytest.raises(ValueError, match="paired test of"):
        paired_test([1.0] * a, [1.0] * b, ["g"] * c, "minimize", 1)


def test_the_level_is_kept_under_the_null() -> None:
    """Candidates exactly at the margin, with noise of unequal variance by class: rejections at 5 % stay near 5 %."""
    rng, rejected, rounds = np.random.default_rng(8), 0, 120
    groups = ["calm", "wild"] * 20
    spread = np.array([0.5, 4.0] * 20)
    for number in range(rounds):
        champion = rng.uniform(20, 40, 40)
        candidate = (1 - MARGIN) * champion + rng.normal(0, 1, 40) * spread
        rejected += paired_test(list(candidate), list(champion), groups, "minimize", number).p < GATE_LEVEL
    assert stats.binomtest(rejected, rounds, GATE_LEVEL, alternative="greater").pvalue > 0.01
    assert rejected > 0, "a test that never rejects would keep every level"


def test_levels_of_all_looks_sum_to_five_percent() -> None:
    total = sum(alpha(k) for k in range(1, 100_000))
    assert total < GATE_LEVEL and total == pytest.approx(GATE_LEVEL, abs=1e-6)
    assert alpha(1) == pytest.approx(0.0304, abs=1e-4) and alpha(2) == pytest.approx(alpha(1) / 4)


# -- early stop --


@given(scores, scores)
def test_p_agrees_with_scipy(a: list[float], b: list[float]) -> None:
    m = min(len(a), len(b))
    difference = gains(a[:m], b[:m], "minimize")
    if np.ptp(difference) < 1e-6:
        return
    expected = stats.ttest_1samp(difference, 0, alternative="greater").pvalue
    assert one_sided_p(difference) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize(
    ("values", "p"), [([], 1.0), ([5.0], 1.0), ([0.0, 0.0], 1.0), ([2.0, 2.0], 0.0), ([-2.0] * 3, 1.0)]
)
def test_p_without_spread(values: list[float], p: float) -> None:
    assert one_sided_p(np.array(values)) == p


@pytest.mark.parametrize(
    ("total", "looks"),
    [(120, (30, 60, 90)), (24, (6, 12, 18)), (3, (1, 2)), (2, (1,)), (1, ()), (10, (3, 5, 8))],
)
def test_looks_are_at_the_quarters(total: int, looks: tuple[int, ...]) -> None:
    assert quarters(total) == looks


def test_what_is_clearly_worse_stops_at_the_first_look() -> None:
    rival = tuple(10.0 + k % 3 for k in range(40))
    worse = [r + 5 + (k % 2) for k, r in enumerate(rival)]
    assert EarlyStop(rival, "minimize").stops_at(worse, 40) == 10
    assert EarlyStop(rival, "maximize").stops_at(worse, 40) is None
    assert EarlyStop(rival, "maximize").stops_at([r - 5 - (k % 2) for k, r in enumerate(rival)], 40) == 10
    assert EarlyStop(rival, "minimize").stops_at(list(rival), 40) is None


@given(scores, scores, st.sampled_from(["minimize", "maximize"]))
def test_stored_scores_meet_the_verdict_of_a_live_watch(
    a: list[float], b: list[float], direction: Direction
) -> None:
    """Told one by one, or looked up in one piece: the same place to stop."""
    total = min(len(a), len(b))
    watch = EarlyStop(tuple(b[:total]), direction)
    live = next((m for m in range(1, total + 1) if watch.stop(a[:m], total)), None)
    assert watch.stops_at(a[:total], total) == live
    assert live is None or live in quarters(total)
    assert EarlyStop(tuple(b[:total]), direction).stops_at(a[:total], total) == live, "no state"


@given(scores, scores)
def test_a_verdict_on_a_prefix_stays_when_the_evaluation_grows(a: list[float], b: list[float]) -> None:
    total = min(len(a), len(b))
    watch = EarlyStop(tuple(b[:total]), "minimize")
    final = watch.stops_at(a[:total], total)
    for m in range(total):
        early = watch.stops_at(a[:m], total)
        assert early == (final if final is not None and final <= m else None)


def test_a_rival_with_fewer_scores_stops_nobody() -> None:
    assert EarlyStop((1.0, 1.0), "minimize").stops_at([9.0] * 20, 20) is None


def test_good_candidates_are_rarely_stopped() -> None:
    """Equal in truth: three looks at 1 % stop at most about 3 %."""
    rng, stopped = np.random.default_rng(2), 0
    for _ in range(400):
        level = rng.uniform(5, 20, 40)
        a, b = level + rng.normal(0, 1, 40), level + rng.normal(0, 1, 40)
        stopped += EarlyStop(tuple(b), "minimize").stops_at(list(a), 40) is not None
    assert stats.binomtest(stopped, 400, 3 * STOP_LEVEL, alternative="greater").pvalue > 0.01


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_rejects_what_its_definition_rejects(ps: list[float]) -> None:
    """Step down: the smallest p meets level/m, the next one level/(m-1), until one does not."""
    adjusted = holm(ps)
    for level in (0.01, 0.05, 0.3):
        rejected: set[int] = set()
        for rank, place in enumerate(sorted(range(len(ps)), key=lambda n: ps[n])):
            if ps[place] * (len(ps) - rank) >= level:
                break
            rejected.add(place)
        assert {n for n, p in enumerate(adjusted) if p < level} == rejected
    assert all(a >= p for a, p in zip(adjusted, ps, strict=True))


def test_the_interval_is_that_of_the_test() -> None:
    rng = np.random.default_rng(2)
    champion, candidate = list(rng.uniform(5, 20, 30)), list(rng.uniform(4, 19, 30))
    groups = [f"g{k % 3}" for k in range(30)]
    found = paired_test(candidate, champion, groups, "minimize", 1)
    assert paired_interval(candidate, champion, groups, "minimize") == (found.effect, found.low, found.high)
    assert paired_interval([0.0] * 4, [0.0] * 4, ["g"] * 4, "minimize") == (0.0, 0.0, 0.0)


# -- geometric means --------------------------------------------------------------------------------------------------

DIRECTIONS = st.sampled_from(["minimize", "maximize"])
pairs = st.lists(st.tuples(st.floats(0.05, 50), st.floats(0.05, 50)), min_size=2, max_size=30)


def drawn(found: list[tuple[float, float]]) -> tuple[list[float], list[float], list[str]]:
    a, b = (list(side) for side in zip(*found, strict=True))
    return a, b, [f"g{k % 3}" for k in range(len(a))]


@given(found=pairs, direction=DIRECTIONS, margin=st.sampled_from([0.0, MARGIN, -MARGIN, 0.2]))
def test_a_geometric_test_is_the_arithmetic_one_on_logarithms(
    found: list[tuple[float, float]], direction: Direction, margin: float
) -> None:
    """The margin is a factor on the candidate's side, so it is a shift of its logarithms."""
    a, b, groups = drawn(found)
    factor = 1 - margin if direction == "minimize" else 1 + margin
    shifted = [math.log(s) - math.log(factor) for s in a]
    known = [math.log(s) for s in b]
    ours = paired_test(a, b, groups, direction, 3, margin=margin, flips=999, mean="geometric")
    theirs = paired_test(shifted, known, groups, direction, 3, margin=0.0, flips=999)
    assert ours.p == pytest.approx(theirs.p, abs=0.004)  # a tie that rounding breaks is worth some flips
    w = weights(groups)
    middle = float(w @ gains([math.log(s) for s in a], known, direction))
    assert ours.effect == pytest.approx(relative(middle, direction))
    assert ours.low <= ours.effect <= ours.high


@given(found=pairs, direction=DIRECTIONS, scale=st.sampled_from([2.0**-7, 2.0**9, 3.7, 1e-3]))
def test_a_common_factor_changes_nothing(
    found: list[tuple[float, float]], direction: Direction, scale: float
) -> None:
    a, b, groups = drawn(found)
    more = [scale * s for s in a], [scale * s for s in b]
    first, second = (
        paired_test(*sides, groups, direction, 3, flips=999, mean="geometric") for sides in ((a, b), more)
    )
    assert (first.effect, first.low, first.high) == pytest.approx((second.effect, second.low, second.high))
    assert first.p == pytest.approx(second.p, abs=0.004)
    stops = [
        EarlyStop(tuple(rival), direction, "geometric").stops_at(own, len(a)) for own, rival in ((a, b), more)
    ]
    assert stops[0] == stops[1]


@given(found=pairs, direction=DIRECTIONS, mean=st.sampled_from(["arithmetic", "geometric"]))
def test_the_effect_is_the_gain_of_the_scores(
    found: list[tuple[float, float]], direction: Direction, mean: Mean
) -> None:
    a, b, groups = drawn(found)
    instances = [Instance(str(k), g, 1, b"", 0, 1.0, 1.0, "bound") for k, g in enumerate(groups)]
    expected = gain(direction, aggregate(instances, a, mean), aggregate(instances, b, mean))
    assert paired_interval(a, b, groups, direction, mean)[0] == pytest.approx(expected, abs=1e-12)


def test_a_speed_up_by_exactly_the_margin_is_not_enough() -> None:
    champion = [0.25, 4.0, 1.0, 2.0] * 5
    groups = ["g"] * 20
    for factor, passes in ((1.004, False), (1.006, True)):
        found = paired_test([factor * s for s in champion], champion, groups, "maximize", 1, mean="geometric")
        assert (found.p < 0.05) is passes
        assert (found.effect, found.low, found.high) == pytest.approx((factor - 1,) * 3)
    for factor, passes in ((1 / 1.004, False), (0.994, True)):
        found = paired_test([factor * s for s in champion], champion, groups, "minimize", 1, mean="geometric")
        assert (found.p < 0.05) is passes and found.effect == pytest.approx(1 - factor)


def test_a_geometric_mean_sees_what_an_arithmetic_one_does_not() -> None:
    """Twice as fast on the slow half, 10 % slower on the fast half."""
    champion, candidate = [0.1, 10.0] * 10, [0.2, 9.0] * 10
    classes = ["slow", "fast"] * 10
    better = {
        m: paired_interval(candidate, champion, classes, "maximize", m)[0]
        for m in ("arithmetic", "geometric")
    }
    assert better["arithmetic"] < 0 < better["geometric"] == pytest.approx(math.sqrt(1.8) - 1)
    slower = tuple(9.0 * s for s in champion)
    assert EarlyStop(slower, "maximize", "geometric").stop(candidate[:5], 20)
    assert not EarlyStop(tuple(champion), "maximize", "geometric").stop(candidate[:5], 20)


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.inf, math.nan])
def test_a_score_without_a_logarithm_is_a_mistake_of_the_task(wrong: float) -> None:
    instances = [Instance(str(k), "g", 1, b"", 0, 1.0, 1.0, "bound") for k in range(2)]
    with pytest.raises(TaskError, match=f"gives the score {wrong}, but averages .* mistake of the task"):
        aggregate(instances, [1.0, wrong], "geometric")
    for sides in (([1.0, wrong], [1.0, 1.0]), ([1.0, 1.0], [1.0, wrong])):
        with pytest.raises(TaskError, match="mistake of the task"):
            gains(*sides, "maximize", "geometric")
