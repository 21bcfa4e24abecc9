"""The timing model: its arithmetic by hand, its shipped constants, and both against the measured tables."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import pytest
from serving_support import data

from evaluators.serving.cards import CARDS
from evaluators.serving.models import MODELS, Experts, experts_touched
from evaluators.serving.timing import (
    COEFFICIENTS,
    TABLE,
    Decode,
    Engine,
    Mixed,
    Prefill,
    Timing,
    kv_cache,
    spread_out,
    timing,
    widths,
)
from evaluators.task import TaskError

SMALL = Timing(
    dense=(0.0, 10.0, 11.0, 12.0, 15.0),
    experts=(0.0, 1.0, 1.0, 1.0, 1.0),
    links=(0.0, 0.5, 0.5, 0.5, 0.5),
    decode=Decode(1.0, 0.1, 0.01),
    prefill=Prefill(2.0, 0.5, 0.25, 0.001, 0.02),
    mixed=Mixed(0.2, 0.03, 0.004, 0.05, 100.0, 0.3),
    engine=Engine(0.7, 0.05),
    source="measured: by hand",
)
SHIPPED = [(m, c, tp) for m in MODELS for c in CARDS for tp in widths(m, c)]


def test_an_iteration_that_only_decodes() -> None:
    assert SMALL.iteration(2, 50, ()) == pytest.approx(11 + 1.5 + (1 + 0.2 + 0.5) + 0.7 + 0.1)


def test_an_iteration_that_only_prefills() -> None:
    # Chunks of 3 tokens behind 10 and of 5 behind none: 8 tokens, four beyond the table, whose last step is 3.
    attention = 2 + 2 * 0.5 + 0.25 * 8 + 0.001 * (3 * 11.5 + 5 * 2.5) + 0.02 * 10
    assert SMALL.iteration(0, 0, [(3, 10), (5, 0)]) == pytest.approx(15 + 4 * 3 + 1.5 + attention + 0.7 + 0.1)


def test_decodes_beside_prefill_pay_their_own_prices() -> None:
    chunk = 2 + 0.5 + 0.25 * 2 + 0.001 * 2 * 1
    inside = chunk + (0.2 + 0.004 * 2) * 2 + 0.03 * 90
    assert SMALL.iteration(2, 90, [(2, 0)]) == pytest.approx(
        15 + 1.5 + max(inside, 2 + 0.3 * 45) + 0.7 + 0.15
    )
    # Many short caches: what bounds attention is the sum, and past 100 KV tokens each costs more.
    crowded = chunk + (0.2 + 0.004 * 2) * 60 + 0.03 * 180 + 0.05 * 80
    assert SMALL.iteration(60, 180, [(2, 0)]) == pytest.approx(15 + 58 * 3 + 1.5 + crowded + 0.7 + 0.05 * 61)
    # The longest of two chunks sets the width for every decode.
    both = 2 + 2 * 0.5 + 0.25 * 3 + 0.001 * (2 + 4.5) + 0.02 * 4 + (0.2 + 0.004 * 2) * 60 + 0.03 * 90
    assert SMALL.iteration(60, 90, [(2, 0), (1, 4)]) == pytest.approx(
        15 + 59 * 3 + 1.5 + both + 0.7 + 0.05 * 62
    )


def test_a_stretch_is_the_sum_of_its_iterations() -> None:
    engine = timing("llama-3.1-8b", "h100")
    first, growth = engine.stretch(40, 40_000)
    stepped = math.fsum(engine.iteration(40, 40_000 + 40 * step, ()) for step in range(500))
    assert 500 * first + growth * 500 * 499 / 2 == pytest.approx(stepped, rel=1e-12)
    assert growth > 0


def test_coefficients_can_be_moved_and_the_penalty_left_out() -> None:
    chunks, attention = [(2, 0)], SMALL.iteration(2, 90, [(2, 0)])
    assert SMALL.additive().iteration(2, 90, chunks) - attention == pytest.approx(
        2 + 0.5 + 0.5 + 0.002 + 0.2 + 0.9 - (2 + 0.3 * 45)
    )
    assert len(COEFFICIENTS) == 3 + 3 + 5 + 6 + 2 and SMALL.scaled({}) == SMALL
    for name in COEFFICIENTS:
        part, _, own = name.partition(".")
        old = getattr(SMALL, part)
        expected = old._replace(**{own: 2 * getattr(old, own)}) if own else tuple(2 * value for value in old)
        assert SMALL.scaled({name: 2.0}) == replace(SMALL, **{part: expected}) != SMALL
    # But for crowd_from, which is a number of tokens, they are times.
    whole = SMALL.scaled(dict.fromkeys(set(COEFFICIENTS) - {"mixed.crowd_from"}, 2.0))
    for decodes, kv, some in ((2, 90, ()), (2, 90, chunks), (60, 180, chunks)):
        assert whole.iteration(decodes, kv, some) == pytest.approx(2 * SMALL.iteration(decodes, kv, some))


def test_tables_are_linear_between_knots() -> None:
    assert spread_out([2, 4, 5], [1.0, 2.0, 5.0]) == (0.0, 1.0, 1.0, 1.5, 2.0, 5.0)


@pytest.mark.parametrize("model, card, tp", SHIPPED)
def test_shipped_constants_are_sane(model: str, card: str, tp: int) -> None:
    engine, cache, shape = timing(model, card, tp), kv_cache(model, card, tp), MODELS[model]
    parts = (*engine.decode, *engine.prefill, *engine.mixed, *engine.engine, *engine.dense, *engine.links)
    assert all(math.isfinite(value) and value >= 0 for value in parts)
    assert engine.source.startswith(("measured: ", "derived: "))
    assert (max(engine.experts) > 0) == (shape.experts is not None)
    assert (max(engine.links) > 0) == (tp > 1)
    # No token is made in less time than its share of weights and cache takes to be read.
    loaded = shape.weight_bytes(tp) * (0.1 if shape.experts else 0.9) + 2048 * cache.bytes
    assert engine.iteration(1, 2048, ()) > loaded / CARDS[card].bandwidth
    assert engine.iteration(64, 64 * 2048, [(512, 0)]) > engine.iteration(64, 64 * 2048, ())
    assert engine.mixed.kv >= engine.decode.kv and engine.mixed.sequence >= engine.decode.sequence
    room = 0.9 * CARDS[card].memory
    assert 0.9 * room < shape.weight_bytes(tp) + cache.blocks * cache.tokens * cache.bytes < room


@pytest.mark.parametrize(
    "model, card, tp, decode, prefill",
    [
        ("llama-2-7b", "a100", 1, (10.9, 55.7), 17.1),
        ("llama-3.1-8b", "a100", 1, (11.9, 26.0), 15.8),
        ("mistral-7b", "a100", 1, (11.4, 25.3), 15.9),
        ("qwen2.5-7b", "a100", 1, (11.1, 19.2), 17.0),
        ("llama-3.1-8b", "h100", 1, (6.7, 12.1), 48.0),
    ],
)
def test_known_speeds(model: str, card: str, tp: int, decode: tuple[float, float], prefill: float) -> None:
    """Milliseconds of 1 and 128 decodes at 1,024 tokens, thousand tokens a second of a prefill of 2,048, from another
    fit (rooflines) to the same tables."""
    engine = timing(model, card, tp)
    for sequences, expected in zip((1, 128), decode, strict=True):
        assert 1e3 * engine.iteration(sequences, 1024 * sequences, ()) == pytest.approx(expected, rel=0.16)
    assert 2.048 / engine.iteration(0, 0, [(2048, 0)]) == pytest.approx(prefill, rel=0.18)


def test_where_decodes_cost_more_beside_prefill() -> None:
    """Query heads that share a cache lose that beside prefill, in the kernel that serves A100 and RTX PRO 6000."""
    penalty = {
        (m, c): timing(m, c).mixed.kv / timing(m, c).decode.kv
        for m in ("llama-2-7b", "llama-3.1-8b", "qwen2.5-7b")
        for c in ("a100", "h100", "rtx-pro-6000")
    }
    assert penalty["llama-3.1-8b", "rtx-pro-6000"] == pytest.approx(1.47, abs=0.01)
    for card in ("a100", "rtx-pro-6000"):
        alone, four, seven = (penalty[m, card] for m in ("llama-2-7b", "llama-3.1-8b", "qwen2.5-7b"))
        assert alone == pytest.approx(1.0) and four > 1.4 and seven == pytest.approx(four * 7 / 4, rel=0.05)
        assert timing("llama-3.1-8b", card).additive().mixed.kv == timing("llama-3.1-8b", card).decode.kv
    assert all(penalty[m, "h100"] == pytest.approx(1.0) for m in ("llama-2-7b", "llama-3.1-8b", "qwen2.5-7b"))


def test_the_cache_of_a_token() -> None:
    assert MODELS["llama-3.1-8b"].kv_bytes() == 2 * 32 * 8 * 128 * 2
    assert MODELS["llama-2-7b"].kv_bytes(2) == 2 * 32 * 16 * 128 * 2
    assert MODELS["llama-3.1-70b"].weight_bytes(1) == pytest.approx(141e9, rel=0.01)
    assert MODELS["qwen3-30b-a3b"].weight_bytes(1) == pytest.approx(61e9, rel=0.01)


def test_experts_are_touched_by_tokens_and_skew() -> None:
    experts = Experts(count=128, top=8, width=768)
    assert experts_touched(experts, 0) == 0
    assert experts_touched(experts, 1) == pytest.approx(7.8, abs=0.1)
    assert experts_touched(experts, 100_000) == pytest.approx(128)
    assert experts_touched(experts, 64, skew=1.0) < 0.9 * experts_touched(experts, 64)


@pytest.mark.parametrize(
    "model, card, tp, reason",
    [
        ("llama-4", "a100", 1, "no model 'llama-4'; choose one of llama-2-7b"),
        ("llama-3.1-8b", "b300", 1, "no card 'b300'; choose one of a100"),
        ("llama-3.1-70b", "a100", 1, "on 1 × a100; choose tensor-parallel width 4 or 8"),
        ("llama-3.1-8b", "a100", 3, "on 3 × a100; choose tensor-parallel width 1 or 2"),
    ],
)
def test_unknown_combinations_are_refused(model: str, card: str, tp: int, reason: str) -> None:
    for ask in (timing, kv_cache):
        with pytest.raises(TaskError, match=reason):
            ask(model, card, tp)


def test_the_shipped_file_says_where_it_comes_from() -> None:
    table = json.loads(TABLE.read_text(encoding="utf-8"))
    assert {"date", "sources", "host", "block"} <= table.keys()
    assert all({"name", "url", "commit", "licence", "of"} <= source.keys() for source in table["sources"])
    for by_card in table["entries"].values():
        for entry in (e for by_width in by_card.values() for e in by_width.values()):
            assert entry["source"].startswith("measured") == ("fit" in entry)


def test_the_shipped_file_is_what_the_fit_makes() -> None:
    data()
    from serving_fit import entry, plain

    table = json.loads(TABLE.read_text(encoding="utf-8"))["entries"]
    for model, card, tp in (
        ("llama-2-7b", "h100", 2),
        ("qwen3-30b-a3b", "a100", 2),
        ("llama-3.1-8b", "rtx-pro-6000", 1),
    ):
        made = plain(entry(MODELS[model], CARDS[card], tp))
        shipped = table[model][card][str(tp)]
        assert made.keys() == shipped.keys()
        for key, value in made.items():
            assert value == (
                shipped[key] if isinstance(value, str | dict) else pytest.approx(shipped[key], rel=1e-2)
            )


def test_every_target_is_met(capsys: pytest.CaptureFixture[str]) -> None:
    data()
    import serving_validate

    assert serving_validate.main() == 0, capsys.readouterr().out
