"""Generated workloads: the same everywhere for a seed, chance as it says, and like the traces they imitate."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from serving_support import data

from evaluators.serving.chance import arrivals, exponential, gamma, logarithm, uniform
from evaluators.serving.trace import PREFIX_BLOCK
from evaluators.serving.workloads import DAY, generate, kinds
from evaluators.task import TaskError

STEADY = (1.0,)


def test_logarithm_and_exponential_are_those_of_mathematics() -> None:
    x = np.concatenate([uniform(1, 2000), [1.0, 2.0**-53, 0.7071067811865476, 1 - 2.0**-53]])
    assert np.allclose(logarithm(x), [math.log(v) for v in x], rtol=4e-16, atol=0)
    y = np.concatenate([-40 * uniform(2, 2000), [0.0, -700.0, -0.34657359]])
    assert np.allclose(exponential(y), [math.exp(v) for v in y], rtol=2e-13, atol=0)
    assert exponential(np.array([-701.0, -1e300])).tolist() == [0.0, 0.0]


@pytest.mark.parametrize("shape", [0.04, 0.5, 1.0, 2.75])
def test_gamma_has_its_moments(shape: float) -> None:
    drawn = gamma(7, shape, 40_000)
    assert drawn.min() >= 0
    assert drawn.mean() == pytest.approx(shape, rel=0.06)
    assert drawn.var() == pytest.approx(shape, rel=0.12)
    # Gamma(½) is half the square of a normal: one in three lies below 0.0928.
    if shape == 0.5:
        assert (drawn < 0.09283).mean() == pytest.approx(0.333, abs=0.01)


def test_poisson_bursts_and_days() -> None:
    plain = arrivals(1, 20_000, 4.0, 1.0, STEADY, 86400.0)
    assert 20_000 / plain[-1] == pytest.approx(4.0, rel=0.03)
    gaps = np.diff(plain)
    assert gaps.std() / gaps.mean() == pytest.approx(1.0, abs=0.03)
    assert (gaps > gaps.mean()).mean() == pytest.approx(math.exp(-1), abs=0.01)
    bursts = np.diff(arrivals(1, 20_000, 4.0, 3.0, STEADY, 86400.0))
    assert bursts.std() / bursts.mean() == pytest.approx(3.0, rel=0.1)
    # Half of each 100 s at three times the pace of the other half.
    halves = arrivals(1, 20_000, 4.0, 1.0, (1.5, 0.5), 100.0)
    assert (np.diff(halves) >= 0).all()
    assert (halves % 100 < 50).mean() == pytest.approx(0.75, abs=0.01)
    assert 20_000 / halves[-1] == pytest.approx(4.0, rel=0.03)
    assert math.fsum(DAY) / 24 == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("kind", kinds())
def test_a_seed_is_a_trace(kind: str) -> None:
    one, same, other = (generate(kind, 400, seed) for seed in (5, 5, 6))
    assert one == same and one.prompts != other.prompts and one.arrivals != other.arrivals
    assert len(set(one.ids)) == 400 and len(one) == 400
    assert min(one.prompts) >= 1 and min(one.outputs) >= 1
    assert all(a <= b for a, b in zip(one.arrivals, one.arrivals[1:], strict=False))
    for prompt, prefix in zip(one.prompts, one.prefixes, strict=True):
        assert len(prefix) in (0, -(-prompt // PREFIX_BLOCK))


def test_a_seed_gives_these_numbers_everywhere() -> None:
    found = [generate(kind, 300, 11, variation=1.7, cycle=DAY, period=60.0) for kind in kinds()]
    text = repr([(t.arrivals, t.prompts, t.outputs, t.prefixes) for t in found])
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == "db6a585f015ab9a1"


def test_prefixes_grow_from_earlier_prompts() -> None:
    found = generate("mooncake-conversation", 600, 1)
    assert {ids[0] for ids in found.prefixes} == {0}
    seen: set[tuple[int, ...]] = set()
    blocks: set[int] = set()
    for ids in found.prefixes:
        known = next((at for at, block in enumerate(ids) if block not in blocks), len(ids))
        # What was there before is the beginning of an earlier prompt, what follows is new.
        assert known == 0 or ids[:known] in seen
        assert not blocks.intersection(ids[known:])
        blocks.update(ids)
        seen.update(ids[:length] for length in range(1, len(ids) + 1))


def test_the_longest_cuts_prompts_then_outputs() -> None:
    whole, cut = generate("azure-conv", 3000, 2), generate("azure-conv", 3000, 2, longest=1000)
    assert max(p + o for p, o in zip(cut.prompts, cut.outputs, strict=True)) == 1000
    assert min(cut.outputs) >= 1
    short = [n for n in range(3000) if whole.prompts[n] + whole.outputs[n] <= 1000]
    assert short and all(
        (whole.prompts[n], whole.outputs[n]) == (cut.prompts[n], cut.outputs[n]) for n in short
    )


@pytest.mark.parametrize(
    "kind, more, reason",
    [
        ("azure", {}, "no workload 'azure'; choose one of azure-code"),
        ("arxiv", {"count": 0}, "0 requests were asked for"),
        ("arxiv", {"rate": 0.0}, "the rate is 0.0"),
        ("arxiv", {"rate": math.nan}, "the rate is nan"),
        ("arxiv", {"variation": 0.0}, "the variation of gaps is 0.0"),
        ("arxiv", {"cycle": (1.0, 2.0)}, "positive numbers whose mean is 1"),
        ("arxiv", {"cycle": (0.0, 2.0)}, "positive numbers whose mean is 1"),
        ("arxiv", {"period": 0.0}, "a period above 0"),
        ("arxiv", {"longest": 1}, "the longest request has 1 tokens"),
    ],
)
def test_numbers_that_make_no_trace_are_refused(kind: str, more: dict[str, object], reason: str) -> None:
    with pytest.raises(TaskError, match=reason):
        generate(kind, **{"count": 10, "seed": 1, **more})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "kind",
    [
        kind
        if kind in ("azure-conv", "mooncake-synthetic")
        else pytest.param(kind, marks=pytest.mark.campaign)
        for kind in kinds()
    ],
)
def test_marginals_are_those_of_the_public_trace(kind: str) -> None:
    data()
    from serving_marginals import hit_rate, trace, variation

    real, timed = trace(kind)
    ours = generate(kind, 10_000, 3)
    for name, levels in (("prompts", (0.1, 0.25, 0.5, 0.75, 0.9)), ("outputs", (0.1, 0.25, 0.5, 0.75, 0.9))):
        a, b = np.array(getattr(real, name)), np.array(getattr(ours, name))
        assert b.mean() == pytest.approx(a.mean(), rel=0.07), name
        for level in levels:
            assert np.quantile(b, level) == pytest.approx(np.quantile(a, level), rel=0.15, abs=1), (
                name,
                level,
            )
        assert b.max() <= a.max()
    if timed:
        assert ours.rate == pytest.approx(real.rate, rel=0.25)
        assert variation(np.array(ours.arrivals)) == pytest.approx(
            variation(np.array(real.arrivals)), rel=0.2
        )
    if any(real.prefixes):
        assert hit_rate(ours.prefixes) == pytest.approx(hit_rate(real.prefixes), abs=0.06)
