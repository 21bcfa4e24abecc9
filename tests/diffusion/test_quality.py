"""Whether quality is kept: shares and bounds against slow ones, and policies that must not win."""

from __future__ import annotations

import re
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.diffusion import quality
from evaluators.diffusion.early_exit.referee import judge, quality_of
from evaluators.diffusion.early_exit.simulator import simulate
from evaluators.diffusion.early_exit.trajectory import Trajectory
from evaluators.diffusion.families import FAMILIES
from evaluators.diffusion.quality import retention
from evaluators.diffusion.texts import SEARCHED, part
from evaluators.diffusion.unmasking.simulator import simulate as decode
from evaluators.registry import load
from evaluators.task import InstanceSet, aggregate

EXIT, LIVE = load("diffusion-exit"), load("diffusion")
PAIRS = st.lists(st.tuples(st.sampled_from("abc"), st.booleans(), st.booleans()), min_size=1, max_size=60)


@given(PAIRS)
def test_shares_against_fractions(rows):
    groups, policy, full = zip(*rows, strict=True)
    found = retention(groups, [float(q) for q in policy], [float(f) for f in full])

    def share(of):
        whole = sum(f for _, _, f in of)
        return Fraction(sum(q for _, q, _ in of), whole) if whole else Fraction(1)

    assert found.pooled == pytest.approx(float(share(rows)))
    for family in set(groups):
        own = [r for r in rows if r[0] == family]
        assert found.families[family] == pytest.approx(float(share(own)))
        assert found.full[family] == pytest.approx(sum(f for _, _, f in own) / len(own))
    assert found.lower <= found.pooled + 1e-9 or found.pooled == 1
    assert 0 <= found.power <= 1


def test_the_bound_against_a_bootstrap_of_another_kind():
    """Resampling texts within families with numpy's own generator, text by text."""
    draw = np.random.default_rng(4)
    groups = [f for f in "abcdefgh" for _ in range(100)]
    full = (draw.random(800) < 0.92).astype(float)
    policy = np.where(draw.random(800) < 0.03, 1 - full, full)
    found = retention(groups, policy, full)
    ratios = []
    for _ in range(4000):
        rows = np.concatenate([100 * k + draw.integers(0, 100, 100) for k in range(8)])
        ratios.append(policy[rows].sum() / full[rows].sum())
    assert found.lower == pytest.approx(np.quantile(ratios, 0.05), abs=0.0015)
    spread = np.std(ratios)
    assert found.lower == pytest.approx(found.pooled - 1.645 * spread, abs=0.003)


def test_the_same_texts_give_the_same_bound():
    groups, full = ["a"] * 30 + ["b"] * 20, [1.0] * 50
    policy = [0.0] * 2 + [1.0] * 48
    assert retention(groups, policy, full) == retention(groups, policy, full)


@pytest.mark.parametrize(
    ("lost", "said"),
    [
        ({}, None),
        ({"a": 4}, None),
        ({"a": 5}, "the texts of a keep 95.0% .* each family must keep 96%"),
        ({"a": 5, "b": 7}, "the texts of b keep 93.0% .*1 more families"),
        (
            dict.fromkeys("abcdefgh", 3),
            "97.0% of the quality of full decoding is kept, but only 9",
        ),
        (dict.fromkeys("abcdefgh", 2), "98.0% of the quality .* 98% must be"),
        (dict.fromkeys("abcdefgh", 1), None),
    ],
)
def test_what_is_in_breach(lost, said):
    groups = [f for f in "abcdefgh" for _ in range(100)]
    policy = [0.0 if k < lost.get(f, 0) else 1.0 for f in "abcdefgh" for k in range(100)]
    breach = retention(groups, policy, [1.0] * 800).breach
    if said is None:
        assert breach is None
    else:
        assert breach is not None
        assert re.search(said, breach), breach


def test_a_family_that_full_decoding_cannot_answer_has_no_floor():
    groups = ["weak"] * 100 + ["good"] * 900
    full = [1.0] * 40 + [0.0] * 60 + [1.0] * 900
    policy = [1.0] * 36 + [0.0] * 64 + [1.0] * 900
    found = retention(groups, policy, full)
    assert found.families["weak"] == 0.9 and found.breach is None
    weak = [1.0] * 60 + [0.0] * 40
    assert retention(groups, [1.0] * 54 + [0.0] * 46 + [1.0] * 900, weak + [1.0] * 900).breach is not None


def test_power_falls_with_what_comes_out_differently():
    groups = ["a"] * 400
    full = [1.0] * 360 + [0.0] * 40
    few = [0.0] * 2 + [1.0] * 358 + [0.0] * 38 + [1.0] * 2
    many = [0.0] * 20 + [1.0] * 340 + [0.0] * 20 + [1.0] * 20
    assert retention(groups, few, full).power > retention(groups, many, full).power
    assert retention(groups, few, full).power == pytest.approx(retention(groups, full, full).power, abs=0.05)
    assert (
        retention(groups * 9, full * 9, full * 9).power
        > 0.9
        > 0.5
        > retention(groups[:50], full[:50], full[:50]).power
    )


def test_where_nothing_is_right_nothing_is_kept() -> None:
    """Recordings with the wrong metric would otherwise praise every policy."""
    assert "no quality to keep" in (retention(["a", "b"], [0.0, 1.0], [0.0, 0.0]).breach or "")
    assert retention(["a"] * 400, [1.0] * 400, [1.0] * 400).breach is None


# -- the denoisers are worth deciding about ---------------------------------------------------------------------------


def test_eight_families_are_answered_well_and_half_of_them_not_at_once() -> None:
    full = {f: np.mean([t.full for t in part("report-0") if t.family == f]) for f in SEARCHED}
    assert len(full) == 8 and min(full.values()) >= 0.8, full
    once = {f: [] for f in SEARCHED}
    for text, instance in zip(part("search"), EXIT.instances("search"), strict=True):
        recorded = Trajectory.from_bytes(instance.payload)
        once[text.family].append((quality_of(instance, 1, recorded.text(1)), text.full))
    lost = [f for f, rows in once.items() if sum(a for a, _ in rows) <= 0.7 * sum(b for _, b in rows)]
    assert len(lost) >= 4, lost


def test_the_families_of_the_search_are_answered_well_by_the_other_model() -> None:
    rows = [t for t in part("final") if t.model == "long"]
    full = {f: np.mean([t.full for t in rows if t.family == f]) for f in FAMILIES}
    assert {f for f, q in full.items() if q >= 0.8} == set(SEARCHED), full


# -- policies that must not win -----------------------------------------------------------------------------------


def by_progress(share):
    return lambda *view: view[10] >= share * view[11]


def by_chance(chance):
    draw = np.random.default_rng(1)
    return lambda *_: bool(draw.random() < chance)


def scored(stop) -> tuple[float, str | None]:
    """The score of an exit on the search split, and what it does not keep."""
    instances = EXIT.instances("search")
    judged = []
    for instance in instances:
        simulation, reply = simulate(instance.payload), None
        while True:
            try:
                view = simulation.send(reply)
            except StopIteration as end:
                judged.append(judge(instance, end.value))
                break
            reply = stop(*view)
    score = aggregate(instances.instances, [j.score for j in judged], "geometric")
    return score, EXIT.breach(instances, [j.value for j in judged])


def best_rule(task, *without: str) -> float:
    """The best shipped score on search of a rule that looks at the model."""
    rows = [one for name, one in task.shipped_scores().items() if name not in without]
    return max(of["search"] for one in rows for of in (one.published, one.tuned) if "search" in of)


def test_stopping_at_once_is_fastest_and_counts_for_nothing():
    score, breach = scored(lambda *_: True)
    assert score > 30 and breach is not None and "keep" in breach


def test_never_stopping_gains_nothing():
    assert scored(lambda *_: False) == (pytest.approx(1.0), None)


def test_progress_alone_does_not_win():
    """The shares of the passes at which nothing that counts is lost, the tuned one among them, against the best rule
    that looks at the model."""
    found = [scored(by_progress(share)) for share in (0.97, 0.95, 0.9, 0.8, 0.7, 0.5, 0.25)]
    kept = [score for score, breach in found if breach is None]
    fixed = EXIT.shipped_scores()["fixed-step"]
    kept += [of["search"] for of in (fixed.published, fixed.tuned) if "search" in of]
    assert best_rule(EXIT, "oracle", "fixed-step", "random", "trivial") > max([1.0, *kept]) * 1.05


def test_chance_does_not_win():
    for chance in (0.3, 0.1, 0.03):
        score, breach = scored(by_chance(chance))
        assert breach is not None or score < 1.1


def unmasked(commit, stop=None) -> tuple[float, str | None]:
    """The score of an unmasking on a tenth of the search split, and what it does not keep."""
    instances = InstanceSet("a tenth", LIVE.instances("search").instances[:80])
    judged = []
    for instance in instances:
        simulation, reply = decode(instance.payload, {"stop"} if stop else ()), None
        while True:
            try:
                who, view = simulation.send(reply)
            except StopIteration as end:
                judged.append(LIVE.judge(instance, end.value))
                break
            reply = (stop if who == "stop" else commit)(*view)
    score = aggregate(instances.instances, [j.score for j in judged], "geometric")
    return score, LIVE.breach(instances, [j.value for j in judged])


def test_unmasking_without_a_look_at_the_model_does_not_win():
    draw = np.random.default_rng(2)
    best = best_rule(LIVE, "clairvoyant", "random", "trivial", "top-k", "fixed-steps")
    blind = {
        "all at once": (lambda masked, *_: masked, None),
        "an exit at once": (lambda masked, *_: masked, lambda *_: True),
        "left to right by progress": (lambda *view: view[9] <= view[10] / 4, None),
        "chance": (lambda masked, *_: draw.random(len(masked)) < 0.3, None),
    }
    for name, (commit, stop) in blind.items():
        score, breach = unmasked(commit, stop)
        assert breach is not None or score < best, name


def test_seeds_and_full_decoding_keep_the_quality_on_search_and_gate():
    """They have scores only where they do."""
    for task in (EXIT, LIVE):
        for name in ("trivial", *task.seeds):
            assert {"search", "gate"} <= task.shipped_scores()[name].published.keys(), name


def test_figures_are_what_the_verdict_is_made_of():
    instances = EXIT.instances("search")
    values = [float(i.reference or 0) for i in instances]
    values[0] = 1.0 - values[0]
    found = {f.name: f.value for f in quality.figures(instances.instances, values)}
    kept = quality.kept(instances.instances, values)
    assert found["quality kept"] == 100 * kept.pooled
    assert found["lower bound of the quality kept"] == 100 * kept.lower
    whole = InstanceSet("search", instances.instances)
    assert EXIT.breach(whole, values) == kept.breach
