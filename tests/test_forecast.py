"""What a run says before it starts: figures that add up, the limit that ends it, and when it would teach nothing."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from discovery.candidate import check
from discovery.config import Settings
from discovery.execution.base import StageResult
from discovery.forecast import OVERHEAD, Sample, forecast, typical_reply
from discovery.seeds import Seed
from discovery.shape import Shape
from discovery.spending import forecast_of
from evaluators.task import Task

MODEL = Sample(prompt=1000, reply=500, longest=5000, price=(1e-6, 4e-6), search=0.5, look=4.0, started=3.0)


def made(sample: Sample = MODEL, **changes: Any) -> Any:
    settings = replace(Settings(proposer="chat", samples=80, trials=21, workers=2), **changes)
    shape = Shape(0, settings.samples or 0, settings.batch, 2, 12, settings.tune)
    return forecast(settings, shape, sample)


def test_the_figures_of_a_run_without_limits() -> None:
    said = made()
    assert (said.samples, said.requests, said.tokens) == (80, 96, 144_000)
    assert said.cost == pytest.approx(96 * (1000 * 1e-6 + 500 * 4e-6))
    assert said.trials == 80 * 20 * 2 / 8 / 2 and said.looks == 5
    assert said.cpu_seconds == pytest.approx(80 * (0.5 * (1 + 0.5 * 2.5) + 4.0 / 16) + 4.0)
    assert said.seconds == pytest.approx(said.cpu_seconds / 2 + 80 * OVERHEAD)
    assert said.ends is None and said.warning is None and len(said.lines()) == 1
    assert "96 requests, 144,000 tokens, $0.29" in said.lines()[0]


@pytest.mark.parametrize(
    ("limit", "ends", "samples"),
    [
        ({"tokens": 90_000}, "--tokens", 50),
        ({"cost": 0.2}, "--cost", 55),
        ({"evaluations": 60}, "--evaluations", 30),
        ({"cpu_minutes": 1.0}, "--cpu-minutes", 43),
        ({"minutes": 0.3}, "--minutes", 21),
    ],
)
def test_the_tightest_limit_ends_it(limit: dict[str, Any], ends: str, samples: int) -> None:
    said = made(**limit)
    assert (said.ends, said.samples, said.warning) == (ends, samples, None)
    assert said.lines()[1] == f"{ends} will end the run before its 80 samples are drawn"


def test_simulators_outside_take_wall_time_and_their_threads_take_turns() -> None:
    without, some, many = (made(replace(MODEL, host=host)) for host in (0.0, 0.5, 9.0))
    assert some.cpu_seconds == many.cpu_seconds == without.cpu_seconds, "processor time is the candidates'"
    searched = without.cpu_seconds - MODEL.look
    assert some.seconds - without.seconds == pytest.approx(0.5 * searched / 2)
    assert many.seconds - without.seconds == pytest.approx(searched * 9 - searched / 2)


def test_the_referee_of_any_task_counts(knapsack: Task) -> None:
    """Of answer tasks too: one that trains a net takes a thousand times what the candidate does."""
    told = StageResult("scored", "", (1.0,), (1.0,), (0.5, 0.5), host=3.0)
    executor: Any = SimpleNamespace(submit=lambda _: SimpleNamespace(result=lambda: told))
    evaluation = SimpleNamespace(stage=lambda _, of: SimpleNamespace(cpu=(0.01,) * len(of)))
    shape = Shape(0, 80, 8, 2, 12, False)
    campaign: Any = SimpleNamespace(
        task=knapsack, evaluation=evaluation, shape=shape, first_prompt=lambda: ((), 0)
    )
    (code,) = (b.path for b in knapsack.baselines().values() if b.name == knapsack.seeds[0])
    assert code is not None
    seed = Seed("seed", check(code.read_text(encoding="utf-8"), knapsack.interface))
    budget: Any = SimpleNamespace(seconds=0.0)
    settings = replace(Settings(samples=80, workers=2), tune=False)
    found = forecast_of(settings, campaign, [seed], budget, executor)
    cpu = 0.01 * len(knapsack.instances("search")) + 0.5 / 8 * 2 * 0.01 * len(knapsack.gate(0))
    assert found.seconds == pytest.approx(80 * (OVERHEAD + 3 * cpu), rel=0.2), (
        "three seconds of the referee for one"
    )


def test_two_batches_learn_nothing() -> None:
    assert "more than 16 are needed" in str(made(samples=16).warning)
    assert made(samples=17).warning is None
    assert made(samples=16, batch=4).warning is None
    assert made(samples=16, strategy="best-of-n").warning is None, "it does not build on what it found"
    assert "16 samples in batches of 8" in str(made(evaluations=16).warning)


def test_limits_that_do_not_pay_for_one_batch() -> None:
    assert "8 requests reserve up to 40,000" in str(made(tokens=39_999).warning)
    assert made(tokens=40_000).warning is None or "reserve" not in str(made(tokens=40_000).warning)
    assert "the seeds alone took 3 s" in str(made(minutes=0.05).warning)


def test_without_a_model_no_tokens_are_named() -> None:
    said = made(Sample(search=0.5))
    assert (said.requests, said.tokens) == (80, 0) and "tokens" not in said.lines()[0]


def test_an_unknown_price_is_said() -> None:
    assert "cost unknown" in made(replace(MODEL, price=None)).lines()[0]


def test_a_reply_is_like_the_seeds_and_no_longer_than_it_may_be() -> None:
    assert typical_reply([100, 300], 4000) == 330 and typical_reply([100, 300], 200) == 200
