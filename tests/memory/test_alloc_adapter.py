"""The harness of ``memory-alloc``: placing against the definition, its views, its rounds, and what it refuses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import permutations
from typing import Any

import alloc_oracle as oracle
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluators.memory.alloc import adapter
from evaluators.memory.alloc.task import INTERFACE
from evaluators.memory.buffers import Buffers, encode

NAMES = [a.name for a in INTERFACE.arguments]
ROWS = [(0, 4, 3), (2, 6, 5), (5, 9, 2), (0, 9, 1), (3, 8, 4)]


def payload(rows: Sequence[oracle.Buffer]) -> bytes:
    return encode(Buffers(*np.array(rows, np.int64).T))


def board(rows: Sequence[oracle.Buffer]) -> adapter.Board:
    return adapter.Board(*np.array(rows, np.int64).T)


def run(rows: Sequence[oracle.Buffer], order: Callable[..., Any], **hooks: Callable[..., Any]) -> list[int]:
    return np.frombuffer(adapter.answer(order, payload(rows), {}, hooks), "<i8").tolist()


def asked(rows: Sequence[oracle.Buffer], *replies: Any) -> tuple[list[dict[str, Any]], list[int]]:
    """What the candidate is shown while it gives ``replies``, the last one for ever, and the answer."""
    shown: list[dict[str, Any]] = []

    def order(*given: Any) -> Any:
        shown.append(dict(zip(NAMES, given, strict=True)))
        return replies[min(len(shown), len(replies)) - 1]

    return shown, run(rows, order)


# -- placing ----------------------------------------------------------------------------------------------------------


@given(oracle.drawn(9), st.randoms(use_true_random=False))
def test_placing_is_first_fit(rows: list[oracle.Buffer], random: Any) -> None:
    order = random.sample(range(len(rows)), len(rows))
    assert board(rows).place(order, None).tolist() == oracle.first_fit(rows, order)


@given(oracle.drawn(9), st.randoms(use_true_random=False), st.integers(0, 3))
def test_the_gaps_are_those_that_hold_the_buffer(rows: list[oracle.Buffer], random: Any, which: int) -> None:
    order = random.sample(range(len(rows)), len(rows))
    placed: dict[int, int] = {}

    def choose(buffer: int, gaps: Sequence[adapter.Span]) -> int:
        bottoms = oracle.fitting(rows, placed, buffer)
        assert [bottom for bottom, _ in gaps] == bottoms
        for bottom, end in gaps:
            meets = [b for b in placed if oracle.together(rows[b], rows[buffer])]
            above = [placed[b] for b in meets if placed[b] > bottom]
            assert end == min(above, default=adapter.OPEN)
        placed[buffer] = bottoms[min(which, len(bottoms) - 1)]
        return placed[buffer]

    found = board(rows).place(order, choose)
    assert found.tolist() == [placed[b] for b in range(len(rows))]


@given(oracle.drawn(9))
def test_pressure_crowd_and_bound(rows: list[oracle.Buffer]) -> None:
    found = board(rows)
    assert found.bound == oracle.bound(rows)
    for one, (lower, upper, _) in enumerate(rows):
        others = [b[2] for k, b in enumerate(rows) if k != one and oracle.together(b, rows[one])]
        assert found.crowd[one] == sum(others)
        alive = [sum(s for lo, up, s in rows if lo <= time < up) for time in range(lower, upper)]
        assert found.pressure[one] == max(alive)


def test_overlaps_of_many_buffers_are_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adapter, "KEPT", 4)
    found = board(ROWS)
    assert found.place(range(5), None).tolist() == oracle.first_fit(ROWS, range(5)) and not found._near


# -- rounds -----------------------------------------------------------------------------------------------------------


def test_a_rule_of_one_pass_has_one_round() -> None:
    keys = np.array([4.0, 3.0, 2.0, 1.0, 0.0])
    shown, offsets = asked(ROWS, keys)
    assert offsets == oracle.first_fit(ROWS, [4, 3, 2, 1, 0])
    assert [s["passes"] for s in shown] == [0, 1], "the same order again ends it"


HARD = [(4, 5, 2), (5, 8, 1), (5, 8, 5), (3, 8, 2), (2, 5, 5)]
"""At most 9 are alive; few orders need no more."""
HIGH, LESS = [0, 1, 2, 3, 4], [0, 3, 1, 2, 4]
"""Keys whose orders need 13 and 12."""


def test_views_are_shares_of_the_bound_and_of_the_whole_time() -> None:
    sizes = np.array([b[2] for b in HARD])
    shown, offsets = asked(HARD, HIGH, LESS)
    assert oracle.bound(HARD) == 9 and [s["passes"] for s in shown] == [0, 1, 2]
    a, b, c = shown
    assert np.allclose(a["size"] * 9, sizes) and np.allclose(a["lower"] * 6, [2, 3, 3, 1, 0])
    assert np.allclose(a["length"] * 6, [1, 3, 3, 5, 3])
    assert np.allclose(a["pressure"] * 9, [9, 8, 8, 9, 9]) and np.allclose(a["crowd"] * 9, [7, 7, 3, 13, 4])
    assert not any(a[k].any() for k in ("keys", "tops", "excess", "best_keys"))
    assert a["height"] == a["passes"] == 0
    ends = [np.array(oracle.first_fit(HARD, np.argsort(k).tolist())) + sizes for k in (HIGH, LESS)]
    assert [e.max() for e in ends] == [13, 12]
    assert b["keys"].tolist() == HIGH == b["best_keys"].tolist() and np.allclose(b["tops"] * 9, ends[0])
    assert np.allclose(b["excess"] * 9, np.maximum(ends[0] - 9, 0)) and b["height"] == 13 / 9
    assert c["keys"].tolist() == LESS == c["best_keys"].tolist() and np.allclose(c["tops"] * 9, ends[1])
    assert np.allclose(c["excess"] * 9, np.maximum(ends[0] - 9, 0) + np.maximum(ends[1] - 9, 0))
    assert c["height"] == 12 / 9 and (np.array(offsets) + sizes).max() == 12


def test_a_worse_round_changes_nothing_that_is_best() -> None:
    shown, offsets = asked(HARD, LESS, HIGH)
    assert shown[2]["best_keys"].tolist() == LESS and shown[2]["height"] == 12 / 9
    assert shown[2]["keys"].tolist() == HIGH
    assert offsets == oracle.first_fit(HARD, np.argsort(LESS).tolist())


def test_of_equal_rounds_the_last_one_is_the_best() -> None:
    """So that a search may walk along a plain."""
    equal = [
        np.argsort(order).tolist()
        for order in permutations(range(5))
        if oracle.height(HARD, oracle.first_fit(HARD, order)) == 12
    ]
    shown, _ = asked(HARD, *equal[:3])
    assert [s["best_keys"].tolist() for s in shown[1:4]] == equal[:3]


@given(oracle.drawn(7), st.data())
def test_the_best_round_counts(rows: list[oracle.Buffer], data: st.DataObject) -> None:
    orders = data.draw(st.lists(st.permutations(range(len(rows))), min_size=1, max_size=4))
    keys = [np.argsort(order) for order in orders]
    shown, offsets = asked(rows, *keys)
    played = [list(o) for o in orders[: len(shown)]]
    heights = [oracle.height(rows, oracle.first_fit(rows, o)) for o in played]
    assert oracle.height(rows, offsets) == min(heights)


def test_it_ends_at_the_lower_bound() -> None:
    shown, offsets = asked([(0, 2, 3), (1, 3, 4)], [0, 1], [1, 0])
    assert len(shown) == 1 and offsets == [0, 3]


@pytest.mark.parametrize(("budget", "rounds"), [(4, 1), (5, 1), (9, 1), (10, 2), (24, 4)])
def test_the_budget_is_of_placements_and_one_round_is_always_there(
    monkeypatch: pytest.MonkeyPatch, budget: int, rounds: int
) -> None:
    monkeypatch.setattr(adapter, "BUDGET", budget)
    shown, _ = asked(HARD, *(HIGH, LESS) * 9)
    assert len(shown) == rounds


def test_ties_go_to_the_larger_then_to_the_first() -> None:
    rows = [(0, 1, 2), (0, 1, 3), (0, 1, 2)]
    assert run(rows, lambda *_: np.zeros(3)) == [3, 0, 5]


def test_what_is_shown_may_be_changed_without_harm() -> None:
    shown: list[list[float]] = []

    def order(*given: Any) -> Any:
        arrays = [one for one in given if isinstance(one, np.ndarray)]
        shown.append(np.concatenate(arrays).tolist())
        for one in arrays:
            one[:] = 7.0
        return [HIGH, LESS][len(shown) % 2]

    run(HARD, order)
    honest, _ = asked(HARD, *[LESS, HIGH] * len(shown))
    for own, other in zip(shown, honest, strict=False):
        assert own == np.concatenate([v for v in other.values() if isinstance(v, np.ndarray)]).tolist()


# -- the hook ---------------------------------------------------------------------------------------------------------

STACK = [(0, 1, 2), (0, 4, 3), (2, 4, 1), (3, 4, 4), (2, 4, 1)]
"""In this order the last one meets a gap of 2 below the second, and the open one."""


def test_a_hook_is_asked_where_there_is_a_choice() -> None:
    shown: list[tuple[Any, ...]] = []

    def gap(*given: Any) -> int:
        shown.append(given)
        return 1

    rows = [(0, 2, 2), (0, 4, 3), (2, 4, 1)]
    assert run(rows, lambda *_: range(3), gap=gap) == [0, 2, 5]
    (only,) = shown
    offsets, rooms, size, lower, length = only
    assert np.allclose(offsets * 5, [0, 5]) and np.allclose(rooms * 5, [2, 6]), "the open one: all sizes"
    assert (size * 5, lower, length) == (1.0, 0.5, 0.5)
    assert run(rows, lambda *_: range(3), gap=lambda offsets, *_: np.argmin(offsets)) == [0, 2, 0]


@given(oracle.drawn(8), st.randoms(use_true_random=False))
def test_the_lowest_gap_is_first_fit(rows: list[oracle.Buffer], random: Any) -> None:
    keys = random.sample(range(len(rows)), len(rows))
    assert run(rows, lambda *_: keys, gap=lambda *_: 0) == run(rows, lambda *_: keys)


@given(oracle.drawn(8), st.randoms(use_true_random=False))
def test_the_open_gap_is_the_last_choice_of_best_fit(rows: list[oracle.Buffer], random: Any) -> None:
    def gap(offsets: Any, rooms: Any, *_: Any) -> int:
        assert (np.diff(offsets) > 0).all() and (rooms[:-1] <= rooms[-1]).all()
        return int(rooms.argmin())

    run(rows, lambda *_: random.sample(range(len(rows)), len(rows)), gap=gap)


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (2, "gap returned 2; the buffer fits into 2 gaps, numbered from 0"),
        (-1, "gap returned -1; the buffer fits into 2 gaps"),
        (0.0, "gap returned float; expected a whole number"),
        (None, "gap returned NoneType; expected a whole number"),
        (np.array([0, 1]), "gap returned ndarray; expected a whole number"),
    ],
)
def test_a_gap_that_is_none_is_refused(reply: Any, reason: str) -> None:
    with pytest.raises((TypeError, ValueError), match=reason):
        run([(0, 2, 2), (0, 4, 3), (2, 4, 1)], lambda *_: range(3), gap=lambda *_: reply)


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        ([0, 1, 2, 3], r"shape \(4,\) returned; expected \(5,\), one number for each buffer"),
        (1.0, r"shape \(\) returned"),
        (np.zeros((5, 1)), r"shape \(5, 1\) returned"),
        ([0, 1, float("nan"), 3, 4], "buffer 2 of 5 got nan; expected finite numbers"),
        ([0, 1, 2, 3, float("-inf")], "buffer 4 of 5 got -inf"),
        (None, r"shape \(\) returned"),
        (["a"] * 5, "could not convert"),
    ],
)
def test_keys_that_are_none_are_refused(reply: Any, reason: str) -> None:
    with pytest.raises((TypeError, ValueError), match=reason):
        run(ROWS, lambda *_: reply)


def test_the_interface_tells_the_budget() -> None:
    assert any(f"{adapter.BUDGET:,} buffers" in fact for fact in INTERFACE.facts)
