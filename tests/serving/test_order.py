"""The program that moves the timing and looks at the order of policies (benchmarks/serving_order.py)."""

from __future__ import annotations

from dataclasses import replace
from types import ModuleType

import pytest
from serving_support import Bench, benchmark

from evaluators.registry import load
from evaluators.serving.batching.instances import ENGINES, make
from evaluators.serving.episode.problem import decode
from evaluators.serving.episode.specs import Spec
from evaluators.serving.timing import COEFFICIENTS, timing
from evaluators.task import InstanceSet

ENGINE = "llama2-a100"
SPEC = Spec("mixed", ENGINE, 80, 20, 1)
TIMES = [name for name in COEFFICIENTS if name not in ("experts", "links", "mixed.crowd_from")]


@pytest.fixture
def order() -> ModuleType:
    return benchmark("serving_order")


@pytest.mark.parametrize("name", [*TIMES, "mixed.crowd_from"])
@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_an_instance_holds_the_coefficient_that_was_moved_and_nothing_else(
    order: ModuleType, name: str, factor: float
) -> None:
    before, after = decode(make(SPEC).payload), decode(order.moved(SPEC, {name: factor}).payload)
    old, new = before.engine.costs, after.engine.costs
    part, _, own = name.partition(".")
    if own:
        place = getattr(timing(*ENGINES[ENGINE]), part)._fields.index(own)
        values = getattr(old, part)
        expected = tuple(factor * value if n == place else value for n, value in enumerate(values))
        assert getattr(new, part) == pytest.approx(expected, rel=5e-4) and getattr(new, part) != values
        assert replace(new, **{part: values}) == old, "the others are as they were"
    else:
        assert len(new.tokens) == 4609 and new.tokens[1:] == pytest.approx(
            [factor * value for value in old.tokens[1:]], rel=1e-9
        )
        assert replace(new, tokens=old.tokens) == old
    engine = replace(after.engine, costs=old)
    assert replace(after, scenario=replace(after.scenario, engines=(engine,))) == before, "loads and limits"


def test_settings_move_every_coefficient_both_ways(order: ModuleType) -> None:
    settings = dict(order.settings(2))
    assert settings["as shipped"] == {} and order.moved(SPEC, {}) == make(SPEC)
    for factor in (0.9, 1.1):
        assert all(settings[f"{name} × {factor}"] == {name: factor} for name in order.MOVED)
        assert settings[f"all × {factor}"] == dict.fromkeys(order.MOVED, factor)
    for draw in ("draw 0", "draw 1"):
        assert set(settings[draw]) == set(order.MOVED) and set(settings[draw].values()) == {0.9, 1.1}
    assert set(order.MOVED) == {*TIMES, "mixed.crowd_from"} and len(settings) == 1 + 2 * 17 + 2 + 2
    usual, longer = (
        order.iterations(InstanceSet("one", (order.moved(SPEC, factors),)))
        for factors in ({}, settings["all × 1.1"])
    )
    assert longer == pytest.approx([1.1 * time for time in usual], rel=3e-3)


def test_scores_under_the_shipped_timing_are_those_that_ship(
    order: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(order, "POLICIES", ("sarathi",))
    shipped = load("serving").shipped_scores()["sarathi"]
    assert order.measured({}).mean("sarathi") == shipped.published["search"]
    assert order.measured({}, tuned=True).mean("sarathi") == shipped.tuned["search"]


def test_the_order_by_first_tokens_is_that_of_waits(
    order: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In seconds, longer on a slower engine; as a run's median and tail say as well."""
    monkeypatch.setattr(order, "POLICIES", ("sarathi",))
    monkeypatch.setattr(order, "part", lambda _: [SPEC])
    usual, slower = (order.measured(f, first=True) for f in ({}, dict.fromkeys(order.MOVED, 1.1)))
    assert -slower.mean("sarathi") > 1.05 * -usual.mean("sarathi")
    bench = Bench("serving")
    (one,) = usual.instances
    told = {
        f.name: f.value
        for f in bench.referee.replayed_figures([one], [bench.run(one, bench.rule("sarathi"))])
    }
    assert told["TTFT p50"] / 2 < -usual.mean("sarathi") < told["TTFT p99"]


def test_pairs_that_stand_in_another_order_are_named_and_equals_in_none(order: ModuleType) -> None:
    instances = InstanceSet("some", tuple(make(replace(SPEC, seed=seed)) for seed in range(6)))

    def standing(**scores: list[float]) -> object:
        return order.Standing(instances, scores)

    usual = standing(a=[9, 8, 9, 8, 9, 8], b=[5, 5, 6, 5, 6, 5], c=[5, 5, 6, 5, 6, 5], d=[9, 9, 9, 9, 2, 2])
    other = standing(a=[4, 4, 4, 4, 4, 4], b=[5, 5, 6, 5, 6, 5], c=[6, 6, 6, 6, 6, 6], d=[1, 1, 1, 1, 1, 1])
    assert usual.swapped(other) == [("a", "b"), ("a", "c"), ("d", "b"), ("d", "c")]
    assert usual.swapped(usual) == []
    assert [usual.ahead(*pair) for pair in ("ab", "ba", "ad", "bc", "bd")] == [1, -1, 0, 0, 0]
