# ruff: noqa: ARG005
"""Online bin packing: generator, bound, harness and referee, each against its definition in plain Python."""

from __future__ import annotations

import hashlib
import runpy
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluators.binpacking import adapter, offline, splits
from evaluators.binpacking.instances import CAPACITIES, FAMILIES, Spec, generate, weibull_table
from evaluators.binpacking.problem import encode, limit, lower_bound
from evaluators.binpacking.referee import judge
from evaluators.registry import load
from evaluators.task import ImpossibleAnswer, Instance, InvalidAnswer, TaskError, aggregate

TASK = load("online-bin-packing")
GOLDENS = {
    "weibull-n1000-s1001": "b57c3ad45aaeac1923387a3bfd85758926c40cf98f15d67910a9d28c37377de3",
    "or-n1000-s1001": "0a0ef31a1f02ffc073e01fce2c9b7d47b452ce331f4b0545779346ac29504f3b",
}
"""SHA-256 of payloads as first generated. They are right because the manifest and the shipped scores were made for
exactly these instances."""


def instance(
    capacity: int, sizes: list[int], reference: float | None = None, kind: Any = "bound"
) -> Instance:
    array, n = np.array(sizes, dtype=np.int64), len(sizes)
    bound = float(lower_bound(capacity, array)) if reference is None else reference
    return Instance("one", "user", n, encode(capacity, array), 8 * n, limit(n), bound, kind)


def fewest(capacity: int, sizes: list[int]) -> int:
    """The optimum by trying every assignment, opening bins in order."""
    best = len(sizes)

    def place(at: int, loads: list[int]) -> None:
        nonlocal best
        if len(loads) >= best:
            return
        if at == len(sizes):
            best = len(loads)
            return
        for b in range(len(loads)):
            if loads[b] + sizes[at] <= capacity:
                loads[b] += sizes[at]
                place(at + 1, loads)
                loads[b] -= sizes[at]
        place(at + 1, [*loads, sizes[at]])

    place(0, [])
    return best


def by_definition(priority: Callable[..., Any], capacity: int, sizes: list[int]) -> list[int]:
    """The harness in plain words: all bins are kept, those that hold the item are shown, the highest takes it."""
    rest: list[int] = []
    places = []
    for size in sizes:
        shown = [b for b in range(len(rest)) if rest[b] >= size] + [len(rest)]
        keys = list(priority(size, np.array([*rest, capacity])[shown]))
        chosen = shown[max(range(len(keys)), key=lambda j: (keys[j], -j))]
        if chosen == len(rest):
            rest.append(capacity)
        rest[chosen] -= size
        places.append(chosen)
    return places


# -- instances ------------------------------------------------------------------------------------------------------


def test_goldens() -> None:
    for id_, expected in GOLDENS.items():
        spec = Spec(id_.partition("-")[0], 1000, 1001)
        assert spec.id == id_
        payload = encode(CAPACITIES[spec.family], generate(spec))
        assert hashlib.sha256(payload).hexdigest() == expected


def test_the_weibull_table_is_its_law() -> None:
    table = weibull_table()
    assert len(table) == 99 and all(a < b for a, b in pairwise(table.tolist()))
    law = 1 - np.exp(-((np.arange(2, 101) / 45) ** 3))
    assert np.abs(table / 2.0**32 - law).max() < 1e-9
    assert int(Decimal(int(table[43])) * 10000 / 2**32) == 6321  # F(45) = 1 - 1/e


@pytest.mark.parametrize("family", FAMILIES)
def test_sizes_follow_their_law(family: str) -> None:
    sizes = np.concatenate([generate(Spec(family, 5000, s)) for s in range(20)])
    if family == "or":
        counts = np.bincount(sizes, minlength=101)
        assert not counts[:20].any() and len(counts) == 101
        assert np.abs(counts[20:] / len(sizes) * 81 - 1).max() < 0.15
    else:
        expected = np.diff(weibull_table().astype(float) / 2.0**32, prepend=0.0)
        counts = np.bincount(sizes, minlength=101)[1:100]
        assert sizes.min() >= 1 and sizes.max() <= 100
        assert np.abs(counts / len(sizes) - expected).max() < 0.003


def test_the_splits() -> None:
    assert {s: len(TASK.instances(s)) for s in ("screen", "search", "gate", "final")} == {
        "screen": 6, "search": 20, "gate": 60, "final": 50
    }  # fmt: skip
    assert TASK.gate_blocks == 12 and len(TASK.gate(11)) == 20
    assert {i.group for i in TASK.instances("final")} == {
        "weibull n=5000", "weibull n=10000", "or n=500", "or n=1000"
    }  # fmt: skip
    assert all(i.reference_kind == "bound" for i in TASK.instances("gate"))


def test_families_widen_search_and_gate_and_alternate() -> None:
    both = load("online-bin-packing", {"families": "or,weibull"})
    assert both.settings["families"] == "weibull,or"
    search = both.instances("search").instances
    assert [i.id.partition("-")[0] for i in search[:4]] == ["weibull", "or"] * 2
    assert (len(search), len(both.instances("gate")), len(both.gate(0))) == (40, 120, 40)
    assert both.instances("final") == TASK.instances("final")
    only = load("online-bin-packing", {"families": "or"})
    assert {i.group for i in only.instances("search")} == {"or n=500", "or n=1000"}


def test_an_altered_generator_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(splits, "_recorded", lambda: {"search-or": "0" * 64})
    with pytest.raises(TaskError, match="SHA-256"):
        splits.load.__wrapped__("search-or")


# -- the bound ------------------------------------------------------------------------------------------------------


@settings(max_examples=120, deadline=None)
@given(
    st.integers(1, 20).flatmap(
        lambda c: st.tuples(st.just(c), st.lists(st.integers(1, c), min_size=1, max_size=8))
    )
)
def test_bound_and_packing_enclose_the_optimum(case: tuple[int, list[int]]) -> None:
    capacity, sizes = case
    array = np.array(sizes, dtype=np.int64)
    best = fewest(capacity, sizes)
    assert -(-sum(sizes) // capacity) <= lower_bound(capacity, array) <= best
    packed = offline.best_fit_decreasing(capacity, array)
    assert np.bincount(packed, weights=array).max() <= capacity
    assert best <= 1 + max(packed) <= 1.5 * best + 1


def test_the_bound_is_above_the_sum_where_items_cannot_share() -> None:
    assert lower_bound(10, np.array([6, 6, 6])) == 3  # the sum says 2
    assert lower_bound(10, np.array([7, 7, 6, 4, 4])) == 4  # 4 and 4 cannot join the 7s, only one joins the 6


# -- the harness ----------------------------------------------------------------------------------------------------

RULES: tuple[Callable[..., Any], ...] = (
    lambda item, bins: item - bins,
    lambda item, bins: -np.arange(len(bins)),
    lambda item, bins: np.arange(len(bins)),
    lambda item, bins: np.zeros(len(bins)),
    lambda item, bins: (bins * 7 + item * 3) % 5,
    lambda item, bins: np.where(bins - item <= 1, 9.5, bins / 10),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(1, 12), min_size=1, max_size=40), st.sampled_from(RULES))
def test_the_harness_fills_the_bin_of_highest_priority(sizes: list[int], rule: Callable[..., Any]) -> None:
    one = instance(12, sizes)
    found = np.frombuffer(adapter.answer(rule, one.payload, {}), "<i8").tolist()
    assert found == by_definition(rule, 12, sizes)
    assert judge(one, np.array(found, dtype="<i8").tobytes()).value == 1 + max(found)


def test_what_the_candidate_sees() -> None:
    seen: list[Any] = []

    def priority(item: Any, bins: Any, *, k: float) -> Any:
        seen.append((item, type(item), bins.tolist(), bins.dtype, k))
        keys = k * (item - bins)
        bins[:] = 0  # a copy: this changes nothing
        return keys

    found = adapter.answer(priority, instance(10, [6, 5, 4, 5, 1]).payload, {"k": 2.0})
    assert np.frombuffer(found, "<i8").tolist() == [0, 1, 0, 1, 2]
    assert [(item, bins) for item, _, bins, _, _ in seen] == [
        (6, [10]), (5, [10]), (4, [4, 5, 10]), (5, [5, 10]), (1, [10])
    ]  # fmt: skip
    assert all((t, d, k) == (int, np.int64, 2.0) for _, t, _, d, k in seen)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (None, "returned NoneType"),
        (1.0, "returned float"),
        ([[1.0]], r"shape \(1, 1\)"),
        (["a"], "expected one number for each of the 1 bins"),
        ([1.0, 2.0], r"shape \(2,\)"),
        ([float("nan")], "returned nan; priorities must be finite"),
        ([float("inf")], "returned inf"),
        (np.array([1], dtype=complex), "expected one number"),
    ],
)
def test_bad_priorities_are_refused_with_a_reason(result: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as error:
        adapter.answer(lambda item, bins: result, instance(10, [3, 4]).payload, {})
    assert len(str(error.value)) < 300


# -- the referee ----------------------------------------------------------------------------------------------------


def packed(*places: int) -> bytes:
    return np.array(places, dtype="<i8").tobytes()


def test_the_referee_counts_bins_and_refuses_overfull_ones() -> None:
    one = instance(10, [6, 5, 4, 5])
    assert judge(one, packed(0, 1, 0, 1)).score == 0
    assert (judge(one, packed(3, 2, 1, 0)).value, judge(one, packed(3, 2, 1, 0)).score) == (4, 100)
    for places, reason in (
        ((0, 0, 1, 1), "bin 0 holds 11, more than its capacity of 10"),
        ((0, 1, 4, 1), "item 2 is in bin 4; bins are numbered 0 to 3"),
        ((0, 1, -1, 1), "item 2 is in bin -1"),
    ):
        with pytest.raises(InvalidAnswer, match=reason):
            judge(one, packed(*places))
    with pytest.raises(InvalidAnswer, match="24 bytes"):
        judge(one, packed(0, 1, 0))


def test_fewer_bins_than_the_bound_are_impossible() -> None:
    one = instance(10, [6, 5, 4, 5], reference=3)
    with pytest.raises(ImpossibleAnswer):
        judge(one, packed(0, 1, 0, 1))
    known = instance(10, [6, 5, 4, 5], reference=3, kind="best known")
    assert judge(known, packed(0, 1, 0, 1)).score == pytest.approx(-100 / 3)


# -- figures of the literature --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "family", "n", "count", "published", "within"),
    [
        ("best-fit", "or", 500, 20, 5.37, 0.5),
        ("first-fit", "or", 500, 20, 5.74, 0.5),
        ("best-fit", "weibull", 5000, 5, 3.98, 0.25),
        ("first-fit", "weibull", 5000, 5, 4.23, 0.25),
    ],
)
def test_published_figures(
    name: str, family: str, n: int, count: int, published: float, within: float
) -> None:
    """The literature's sets are other draws of the same laws; ``within`` is three standard errors of such a set."""
    path = TASK.baselines()[name].path
    assert path is not None
    space = runpy.run_path(str(path))
    chosen = [i for i in TASK.instances("final") if i.group == f"{family} n={n}"][:count]
    assert len(chosen) == count
    scores = [judge(i, adapter.answer(space["priority"], i.payload, {})).score for i in chosen]
    assert aggregate(chosen, scores) == pytest.approx(published, abs=within)


def test_shipped_scores_come_out_again() -> None:
    for options in ({"families": "weibull"}, {"families": "or"}):
        task = load("online-bin-packing", options)
        shipped = task.shipped_scores()
        assert set(shipped) == set(task.baselines())
        search = task.instances("search").instances
        found = [judge(i, adapter.answer(RULES[0], i.payload, {})).score for i in search]
        assert aggregate(search, found) == pytest.approx(shipped["best-fit"].published["search"])
        knowing = [judge(i, offline.answer(i.payload)).score for i in search]
        assert aggregate(search, knowing) == pytest.approx(shipped["offline"].published["search"])
        assert shipped["best-fit"].published["search"] < shipped["first-fit"].published["search"]
    assert load("online-bin-packing", {"families": "weibull,or"}).shipped_scores() == {}
