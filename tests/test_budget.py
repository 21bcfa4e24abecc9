"""Limits: none is crossed even if each reply is as long as it may be, and what fits is a function of the replies."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.budget import Allowance, Budget, Limits, Load


def spent(tokens: int = 0, cost: float = 0.0) -> Callable[[], tuple[int, float]]:
    return lambda: (tokens, cost)


def each(tokens: int) -> Callable[[int], Sequence[int]]:
    return lambda slots: [tokens] * slots


def test_without_limits_everything_fits_and_nothing_is_estimated() -> None:
    def never(_: int) -> Sequence[int]:
        raise AssertionError("no prompt needs to be made for a run without limits")

    budget = Budget(Limits(8), spent(10**9, 10.0**9))
    assert budget.allow(8, never, 100) == Allowance(8, 8) and budget.ended is None


def test_as_many_slots_as_fit() -> None:
    budget = Budget(Limits(8, tokens=1000), spent(400))
    assert budget.allow(8, each(200), 300) == Allowance(3, 0)
    assert "1,000 tokens (400 used)" in str(budget.ended)


def test_repairs_get_what_first_requests_leave() -> None:
    budget = Budget(Limits(8, tokens=1000), spent())
    assert budget.allow(4, each(100), 250) == Allowance(4, 2)
    assert budget.ended is None


def test_nothing_fits() -> None:
    budget = Budget(Limits(8, tokens=100), spent(1))
    assert budget.allow(8, each(100), 100) == Allowance(0, 0)
    assert "leaves no room" in str(budget.ended)


def test_free_requests_always_fit() -> None:
    assert (
        Budget(Limits(8, tokens=1), spent(99)).allow(8, each(0), 0).slots == 0
    )  # it is over its limit already
    assert Budget(Limits(8, tokens=99), spent(99)).allow(8, each(0), 0) == Allowance(8, 8)


def test_cost_counts_every_token_at_the_highest_price() -> None:
    budget = Budget(Limits(8, cost=1.0), spent(0, 0.5), price=0.001)
    assert budget.allow(8, each(200), 200) == Allowance(2, 0)
    assert "1 US dollars (0.5000 spent)" in str(budget.ended)


def test_a_limit_of_cost_needs_a_price() -> None:
    with pytest.raises(ValueError, match="price"):
        Budget(Limits(8, cost=1.0), spent())
    assert Budget(Limits(8, cost=1.0), spent(), price=0.0).allow(8, each(10**6), 10**6) == Allowance(8, 8)


def test_minutes_end_a_run_and_those_of_earlier_sittings_count() -> None:
    budget = Budget(Limits(8, minutes=1), spent(), earlier=59.0)
    assert budget.allow(8, each(0), 0).slots == 8 and 59 <= budget.seconds < 60
    late = Budget(Limits(8, minutes=1), spent(), earlier=60.0)
    assert late.allow(8, each(0), 0) == Allowance(0, 0) and "time limit of 1 minutes" in str(late.ended)


def test_a_batch_of_nothing_asks_for_nothing() -> None:
    late = Budget(Limits(8, minutes=1, tokens=1), spent(5), earlier=600.0)
    assert late.allow(0, each(10), 10) == Allowance(0, 0) and late.ended is None


@given(
    st.integers(1, 5000),
    st.lists(st.lists(st.tuples(st.integers(0, 300), st.integers(0, 300)), max_size=8), max_size=12),
)
def test_no_limit_is_ever_crossed(limit: int, batches: list[list[tuple[int, int]]]) -> None:
    """Each request uses at most what was reserved for it; repairs at most ``most``."""
    most, used = 300, 0
    for batch in batches:
        reserves = [first for first, _ in batch]
        budget = Budget(Limits(8, tokens=limit), spent(used))
        allowance = budget.allow(len(batch), lambda n, r=reserves: r[:n], most)
        assert allowance.repairs <= allowance.slots <= len(batch)
        used += sum(reserves[: allowance.slots]) + sum(second for _, second in batch[: allowance.repairs])
        assert used <= limit


def test_candidates_come_before_tuning() -> None:
    budget = Budget(Limits(8, evaluations=60), spent(), evaluated=lambda: 20)
    load = Load(owed=10, studies=2, runs=9)
    assert budget.allow(8, each(0), 0, load) == Allowance(8, 8, 2) and budget.ended is None
    assert budget.allow(8, each(0), 0, Load(20, 2, 9)) == Allowance(8, 8, 1)
    assert budget.allow(8, each(0), 0, Load(35, 2, 9)) == Allowance(5, 5, 0)
    assert "60 evaluations (20 used, up to 35 under way)" in str(budget.ended)
    assert budget.allow(8, each(0), 0, Load(99, 2, 9)).slots == 0


@given(
    st.integers(1, 200),
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 2), st.integers(0, 9)), max_size=20),
)
def test_evaluations_are_never_crossed_with_one_batch_under_way(
    limit: int, batches: list[tuple[int, int, int]]
) -> None:
    """Batch g+1 is given out before batch g has run: of each, some candidates are new and some are tuned."""
    used, before = 0, Allowance(0, 0, 0)
    for new, tuned, runs in batches:
        budget = Budget(Limits(160, evaluations=limit), spent(), evaluated=lambda used=used: used)
        candidates, studies = min(new, before.slots), min(tuned, before.tuned(2))
        after = budget.allow(8, each(0), 0, Load(candidates + studies * 9, 2, 9))
        used += candidates + studies * runs
        assert used <= limit
        before = after


def test_a_batch_is_given_out_while_twice_the_longest_step_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 10.0, 15.0, 41.0])
    monkeypatch.setattr(Budget, "seconds", property(lambda _: next(clock)))
    budget = Budget(Limits(80, minutes=1), spent())
    assert [budget.allow(8, each(0), 0).slots for _ in range(3)] == [8, 8, 8]
    assert budget.allow(8, each(0), 0).slots == 0
    assert str(budget.ended) == (
        "the time limit of 1 minutes leaves no room for another batch (41 s used, the longest step took 26 s)"
    )


def test_processor_time_of_earlier_sittings_counts() -> None:
    used = iter([0.0, 5.0, 20.0])
    budget = Budget(Limits(80, cpu_minutes=1), spent(), processor=lambda: next(used), earlier_cpu=15.0)
    assert [budget.allow(8, each(0), 0).slots for _ in range(3)] == [8, 8, 0]
    assert "processor time limit of 1 minutes" in str(budget.ended)
    over = Budget(Limits(80, cpu_minutes=1), spent(), earlier_cpu=60.0)
    assert over.allow(8, each(0), 0).slots == 0 and "is reached" in str(over.ended)
