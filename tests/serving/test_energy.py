"""Energy: the totals that it is made of are held to the oracle in test_serving_core.py; here what is made of them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from serving_support import data

from evaluators.serving.cards import CARDS
from evaluators.serving.core.calls import Request
from evaluators.serving.core.costs import SECOND, Costs
from evaluators.serving.core.energy import Power, Work
from evaluators.serving.core.metrics import Figures, Objective, figures
from evaluators.serving.core.simulation import Engine, Outcome, Scenario, played
from evaluators.serving.models import MODELS
from evaluators.serving.power import SHARES, power, recognised
from evaluators.serving.timing import kv_cache, timing, widths

PRICES = Power(idle=10, active=100, most=1000, iteration=1, token=0.5, read=0.25, pair=0.125)


def test_idle_cards_draw_and_work_has_its_prices() -> None:
    work = Work(busy=3 * SECOND, iterations=2, computed=7, decoded=1, read=8, pairs=48)
    assert PRICES.joules(work, 10 * SECOND) == 7 * 10 + 3 * 100 + 2 * 1 + 8 * 0.5 + 8 * 0.25 + 48 * 0.125
    held_back = replace(work, pairs=10**6)
    assert PRICES.joules(held_back, 10 * SECOND) == 7 * 10 + 3 * 1000, "never more than the cards may draw"
    assert PRICES.joules(Work(0, 0, 0, 0, 0, 0), 10 * SECOND) == 100


class Greedy:
    def step(self, view: Any) -> Any:
        return [(place, left) for place, left in enumerate(view.left())], (), 1

    def route(self, view: Any) -> int:
        return 0 if view.time == 0 else 1


FLAT = Costs((0, *[SECOND] * 50), (0,) * 3, (0,) * 5, (0,) * 6, (0, 0))
"""Every iteration takes a second."""


def test_a_run_has_the_energy_of_all_its_engines() -> None:
    engine = Engine(FLAT, 9, 4)
    work = (Request("a", 0, 4, 3), Request("b", SECOND, 4, 1))
    outcome = played(Scenario((engine, engine), work), Greedy())
    powers = (PRICES, replace(PRICES, idle=20, active=200))
    # The first computes four tokens of a prompt (16 pairs, twice) and two more over 5 and 6; the second a prompt.
    first = 3 * 100 + 3 * 1 + 6 * 0.5 + 11 * 0.25 + 16 * 0.125
    second = 2 * 20 + 200 + 1 + 4 * 0.5 + 16 * 0.125
    assert outcome.end == 3 * SECOND
    told = drawn(outcome, powers)
    assert told.energy == first + second and told.joules == (first + second) / 4
    assert drawn(outcome, (PRICES, None)).energy is None and drawn(outcome, ()).joules is None
    nothing = played(Scenario((engine,), ()), Greedy())
    assert drawn(nothing, (PRICES,)).energy == 0 and drawn(nothing, (PRICES,)).joules is None


def drawn(outcome: Outcome, powers: Any) -> Figures:
    return figures(outcome, Objective(SECOND, SECOND), powers)


@pytest.mark.parametrize(
    ("tp", "seconds", "measured"), [(2, 0.0548, 0.736), (4, 0.0450, 0.599), (8, 0.0449, 0.435)]
)
def test_a_decode_draws_what_was_measured(tp: int, seconds: float, measured: float) -> None:
    """Llama-2-70B on A100, a token after 512 took this long and these parts of the peak (splitwise-sim); the model of
    ours that is as large is Llama-3.1-70B."""
    made, busy = power("llama-3.1-70b", "a100", tp), round(seconds * SECOND)
    watts = made.joules(Work(busy, 1, 0, 1, 513, 0), busy) / seconds
    assert watts / made.most == pytest.approx(measured, rel=0.08)


@pytest.mark.parametrize(
    ("model", "card"), [("llama-2-7b", "a100"), ("llama-3.1-8b", "h100"), ("qwen2.5-7b", "l40s")]
)
def test_prompts_draw_more_than_decodes(model: str, card: str) -> None:
    made, costs = power(model, card), Costs.of(timing(model, card))
    watts = []
    for busy, work in (
        (costs.stretch(1, 512)[0], Work(0, 1, 0, 1, 513, 0)),
        (costs.mixture(0, 0, ((1024, 0),)), Work(0, 1, 1024, 0, 0, 1024**2)),
    ):
        watts.append(made.joules(replace(work, busy=busy), busy) * SECOND / busy)
    assert 0.5 < watts[0] / made.most < watts[1] / made.most < 1 + 1e-9, "on H100 the peak is reached"


def test_cards_together_draw_together() -> None:
    for tp in widths("llama-3.1-70b", "h100"):
        made = power("llama-3.1-70b", "h100", tp)
        assert (made.idle, made.most) == (tp * CARDS["h100"].watts_idle, tp * CARDS["h100"].watts_peak)
    one, two = power("llama-2-7b", "a100"), power("llama-2-7b", "a100", 2)
    assert two.iteration == pytest.approx(one.iteration) and two.token == pytest.approx(one.token)
    assert two.read == pytest.approx(one.read), "what is split costs the same in all"
    assert kv_cache("llama-2-7b", "a100", 2).bytes * 2 == kv_cache("llama-2-7b", "a100").bytes


def test_an_engine_is_known_by_its_times() -> None:
    for model in MODELS:
        for card in CARDS:
            for tp in widths(model, card):
                times = timing(model, card, tp)
                short = replace(times, dense=(0.0, 0.0), experts=(0.0, 0.0), links=(0.0, 0.0))
                assert recognised(Costs.of(short)) == power(model, card, tp)
    assert recognised(FLAT) is None


def test_the_shares_are_what_the_fit_finds() -> None:
    data()
    from serving_power import fitted, measured

    found = measured()
    assert len(found) == 34
    assert fitted(found) == pytest.approx(SHARES, abs=0.006)
