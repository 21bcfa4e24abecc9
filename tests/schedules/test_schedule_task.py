"""The adapter, the splits, the baselines and the pictures of ``lr-schedule``."""

from __future__ import annotations

import math
import runpy
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import median_filter

from discovery import pictures
from evaluators.pictures import Curves
from evaluators.registry import load
from evaluators.schedules import public, referee, splits
from evaluators.schedules.adapter import answer, smoothed
from evaluators.schedules.problem import decode
from evaluators.task import Instance, Missing, aggregate

TASK = load("lr-schedule")
SILENT = load("lr-schedule", {"pilot": "none"})
NAMES = tuple(TASK.baselines())


@cache
def module(name: str) -> dict[str, Any]:
    path = TASK.baselines()[name].path
    assert path is not None
    return runpy.run_path(str(path))


def curve(name: str, steps: int = 100, norms: np.ndarray | None = None, **parameters: float) -> np.ndarray:
    schedule = module(name)["schedule"]
    norms = np.zeros(0) if norms is None else norms
    return np.array(
        [schedule(t, steps, norms, steps - t + 1, 1.0, **parameters) for t in range(1, steps + 1)]
    )


def first(split: str = "screen") -> Instance:
    return TASK.instances(split).instances[0]  # type: ignore[arg-type]


# -- the adapter ------------------------------------------------------------------------------------------------------


def test_a_candidate_is_asked_for_every_step() -> None:
    calls: list[tuple[Any, ...]] = []

    def schedule(*views: Any, weight: float) -> float:
        calls.append(views)
        return weight * views[0]

    instance = first()
    steps, norms = instance.size, referee.pilot(decode(instance.withheld)).tolist()
    found = np.frombuffer(answer(schedule, instance.payload, {"weight": 2.0}))
    assert found.tolist() == [2.0 * t for t in range(1, steps + 1)]
    assert [c[0] for c in calls] == [*range(1, steps + 1)]
    assert [c[3] for c in calls] == [*range(steps, 0, -1)] and {c[1] for c in calls} == {steps}
    assert all(type(v) is int for c in calls for v in (c[0], c[1], c[3]))
    assert all(c[2].tolist() == norms for c in calls)
    assert [c[4] for c in calls] == smoothed(np.array(norms)).tolist()


def test_a_candidate_is_told_steps_and_norms_alone() -> None:
    """One that had the examples could train on them itself, and pick the schedule that does best."""
    for split in ("screen", "search"):
        for instance in TASK.instances(split):
            assert len(instance.payload) == 4 + 4 * instance.size


def test_without_a_pilot_run_there_are_no_norms() -> None:
    seen: list[tuple[int, float]] = []

    def schedule(_: int, total: int, norms: Any, left: int, norm: float) -> float:
        seen.append((len(norms), norm))
        return left / total

    instances = SILENT.instances("screen").instances
    found = answer(schedule, instances[0].payload, {})
    assert set(seen) == {(0, 1.0)} and SILENT.judge(instances[0], found).score == 1.0
    told = TASK.instances("screen").instances
    assert [(i.id, i.reference, i.answer_bytes) for i in instances] == [
        (i.id, i.reference, i.answer_bytes) for i in told
    ]
    assert {i.payload for i in instances}.isdisjoint({i.payload for i in told})


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=90))
def test_the_norm_about_a_step_is_a_median(values: list[float]) -> None:
    half = max(1, len(values) // 20)
    wanted = [np.median(values[max(0, t - half) : t + half + 1]) for t in range(len(values))]
    assert smoothed(np.array(values)).tolist() == pytest.approx(wanted)


@pytest.mark.parametrize(
    ("returned", "reason"),
    [
        (None, "NoneType of shape"),
        ([1.0], r"list of shape \(1,\)"),
        ("1", "str of shape"),
        (1j, "complex of shape"),
        (math.nan, "nan at step 3"),
        (math.inf, "inf at step 3"),
        (2e6, "up to 1e"),
    ],
)
def test_what_is_no_multiplier_is_refused(returned: object, reason: str) -> None:
    with pytest.raises((TypeError, ValueError), match=reason):
        answer(lambda step, *_: returned if step == 3 else 1.0, first().payload, {})


def test_what_is_below_zero_counts_as_zero_and_any_number_is_one() -> None:
    kinds: list[Callable[[int], Any]] = [
        lambda _: -3.0,
        lambda _: True,
        lambda t: np.int64(t),
        lambda _: -math.inf,
    ]
    found = np.frombuffer(answer(lambda step, *_: kinds[step % 4](step), first().payload, {}))
    assert found[:4].tolist() == [1.0, 2.0, 0.0, 0.0]


def test_norms_cannot_be_written_over() -> None:
    def schedule(_: int, __: int, norms: Any, *___: Any) -> float:
        norms[0] = 1.0
        return 1.0

    with pytest.raises(ValueError, match="read-only"):
        answer(schedule, first().payload, {})


# -- splits -----------------------------------------------------------------------------------------------------------


def test_no_two_parts_share_a_problem() -> None:
    ids = [spec.id for part in splits.SPLITS.parts() if part != "final" for spec in splits.part(part)]
    assert len(set(ids)) == len(ids)
    seeds = [spec.seed for part in splits.SPLITS.parts() if part != "final" for spec in splits.part(part)]
    assert max(seeds) < public.SEED


def test_final_is_of_other_data_horizons_and_a_net() -> None:
    pytest.importorskip("sklearn")
    final = TASK.instances("final")
    assert {i.group for i in final}.isdisjoint({i.group for i in TASK.instances("search")})
    assert max(i.size for i in final) > max(i.size for i in TASK.gate(0))
    net = [decode(i.withheld).problem for i in final if i.group == "digits-net"]
    assert len(net) == 3 and {p.hidden for p in net} == {16} and net[0].features.shape == (17, 1797)
    for i in final:
        features = decode(i.withheld).problem.features
        assert np.abs(features[:-1].mean(axis=1)).max() < 1e-6 and features[-1].min() == 1.0
        spread = features[:-1].std(axis=1)
        assert (np.isclose(spread, 1.0, atol=1e-5) | (spread == 0)).all()


def test_final_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn", None)
    with pytest.raises(
        Missing, match=r"scikit-learn, which is not installed.*discover-heuristics\[learned\]"
    ):
        public.problem(public.SETTINGS["iris"])


# -- baselines --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_baselines_are_schedules(name: str) -> None:
    for steps in (1, 2, 3, 40, 333):
        found = curve(name, steps, np.linspace(2, 1, steps))
        assert np.isfinite(found).all() and (found >= 0).all() and (found.sum() > 0 or steps == 1), steps
    falling = {"random", "warmup-linear", "warmup-stable-decay"}
    assert name in falling or (np.diff(curve(name)) <= 1e-15).all()


def test_shapes_of_the_published_rules() -> None:
    assert curve("linear").tolist() == referee.linear(100).tolist()
    assert curve("linear", end=0.2)[[0, -1]] == pytest.approx([1.0, 0.2 + 0.8 / 100])
    assert curve("cosine")[[0, 50]] == pytest.approx([1.0, 0.5])
    assert curve("exponential", end=0.04)[50] == pytest.approx(0.2)
    assert curve("polynomial", power=2.0) == pytest.approx(referee.linear(100) ** 2)
    assert curve("step-drops")[[49, 50, 74, 75]] == pytest.approx([1.0, 0.1, 0.1, 0.01])
    assert curve("inverse-sqrt")[[0, 3, 99]] == pytest.approx([1.0, 0.5, 0.1])
    assert curve("inverse-time", offset=0.1)[0] / curve("inverse-time", offset=0.1)[10] == pytest.approx(
        21 / 11
    )
    assert curve("warmup-linear")[[0, 9, 10, 99]] == pytest.approx([0.1, 1.0, 1.0, 1 / 90])
    assert curve("warmup-stable-decay")[[0, 1, 79, 80, 99]] == pytest.approx([0.5, 1, 1, 1, 0.05])


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(0.1, 10), min_size=2, max_size=80), st.floats(0.02, 0.5), st.floats(0.0, 3.0))
def test_the_refined_schedule(values: list[float], window: float, power: float) -> None:
    """By SciPy's filter with the padding that it has, and the sum written out."""
    norms, steps = np.array(values), len(values)
    width = 2 * (int(window * steps) // 2) + 1
    padded = np.pad(norms, (0, min(2 * width, steps - 1)), mode="reflect")
    filtered = median_filter(padded, size=width, mode="nearest")[:steps]
    weights = [1.0 / g**power for g in filtered]
    wanted = np.array([w * sum(weights[t + 1 :]) for t, w in enumerate(weights)])
    found = curve("refined", steps, norms, window=window, power=power)
    assert found == pytest.approx(wanted / wanted.max(), rel=1e-9, abs=1e-12)


def test_refined_without_norms_is_linear_decay() -> None:
    assert curve("refined") == pytest.approx((referee.linear(100) - 0.01) / 0.99)


def test_refined_knows_problems_apart() -> None:
    """Instances of a set share the module: what it keeps of one must not be taken for another's."""
    one, two = np.linspace(2, 1, 100), np.linspace(1, 2, 100)
    before = curve("refined", 100, one)
    assert not np.allclose(before, curve("refined", 100, two))
    assert curve("refined", 100, one).tolist() == before.tolist()
    assert not np.allclose(before, curve("refined", 100, one, power=1.0))


def test_what_the_literature_says_of_the_last_iterate() -> None:
    """Linear decay beats constant rates, roots and drops by far; the tuned rest is near it."""
    instances = TASK.instances("search").instances[:14]

    def score(name: str) -> float:
        found = [TASK.judge(i, answer(module(name)["schedule"], i.payload, {})).score for i in instances]
        return aggregate(instances, found, "geometric")

    assert min(score("trivial"), score("step-drops"), score("inverse-time"), score("random")) > 1.3
    assert 0.9 < score("cosine") < 1.15 and 0.9 < score("warmup-linear") < 1.15


# -- pictures ---------------------------------------------------------------------------------------------------------


def test_pictures_show_rates_and_gaps() -> None:
    instance = first("search")
    given = answer(module("trivial")["schedule"], instance.payload, {})
    rates, gaps = TASK.pictures(instance, given)  # type: ignore[attr-defined]
    assert isinstance(rates, Curves) and isinstance(gaps, Curves)
    assert [c.name for c in rates.curves] == [c.name for c in gaps.curves] == ["the answer", "linear decay"]
    own, linear = rates.curves
    assert len({y for _, y in own.points}) == 1 and len(own.points) == 100
    assert linear.points[0][1] == pytest.approx(100 * linear.points[-1][1])
    assert (
        gaps.curves[0].points[0]
        == gaps.curves[1].points[0]
        == (0, referee.start_gap(decode(instance.withheld)))
    )
    last = gaps.curves[1].points[-1]
    assert last[0] == instance.size and last[1] == pytest.approx(instance.reference, rel=0.3)
    assert gaps.logarithmic and gaps.bottom > 0 and gaps.end == instance.size


def test_answers_of_a_task_of_curves_share_their_axes() -> None:
    instance = first()
    given = {name: answer(module(name)["schedule"], instance.payload, {}) for name in ("trivial", "cosine")}
    drawn = pictures.answers(TASK, instance, given)
    (axes,) = drawn.figure.axes
    assert [t.get_text().split(" (")[0] for t in axes.get_legend().get_texts()] == [
        "trivial",
        "cosine",
        "linear decay",
    ]
    assert len(axes.get_lines()) == 3 and "learning rate at the end" in drawn.text
    two = pictures.lines(*TASK.pictures(instance, given["cosine"]))  # type: ignore[attr-defined]
    assert [a.get_yscale() for a in two.figure.axes] == ["linear", "log"]
    assert "mathdefault" not in two.svg(), "numbers are no formulas"


def test_places_on_axes() -> None:
    chart = Curves("t", "c", "x", "y", (), logarithmic=True)
    assert (chart.end, chart.bottom, chart.top) == (0.0, 0.0, 0.0)
    from evaluators.pictures import Curve

    chart = replace(chart, curves=(Curve("a", ((0, 1.0), (4, 100.0))), Curve("b", ((2, 10.0),))))
    assert (chart.end, chart.bottom, chart.top) == (4, 1.0, 100.0)
    assert chart.placed(4, 1.0, 100.0) == [[(0.0, 0.0), (1.0, 1.0)], [(0.5, pytest.approx(0.5))]]
    plain = replace(chart, logarithmic=False)
    assert plain.bottom == 0.0 and plain.placed(8, 0.0, 200.0)[0] == [(0.0, 0.005), (0.5, 0.5)]
