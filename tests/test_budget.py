"""Limits: nothing is crossed, whoever asks at once, and what is in flight counts."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from discovery.budget import Budget, Limits


class Till:
    """What a ledger has recorded."""

    def __init__(self, tokens: int = 0, cost: float = 0.0) -> None:
        self.tokens, self.cost = tokens, cost
        self.lock = threading.Lock()

    def __call__(self) -> tuple[int, float]:
        with self.lock:
            return self.tokens, self.cost

    def pay(self, tokens: int, price: float = 0.0) -> None:
        with self.lock:
            self.tokens += tokens
            self.cost += tokens * price


def held(budget: Budget, tokens: int) -> bool:
    with budget.reserved(tokens) as granted:
        return granted


def test_without_limits_everything_fits() -> None:
    till = Till(10**9, 10.0**9)
    budget = Budget(Limits(8), till)
    assert held(budget, 10**9) and budget.exhausted() is None


def test_reservations_add_up_and_are_given_back() -> None:
    till = Till(400)
    budget = Budget(Limits(8, tokens=1000), till)
    with budget.reserved(500) as first:
        assert first and not held(budget, 101) and held(budget, 100)
    assert held(budget, 600) and not held(budget, 601)
    till.pay(300)
    assert held(budget, 300) and not held(budget, 301)


def test_a_refused_reservation_holds_nothing() -> None:
    budget = Budget(Limits(8, tokens=100), Till())
    with budget.reserved(101) as granted:
        assert not granted and held(budget, 100)


def test_a_crash_gives_the_reservation_back() -> None:
    budget = Budget(Limits(8, tokens=100), Till())
    with pytest.raises(OSError, match="gone"), budget.reserved(100):
        raise OSError("gone")
    assert held(budget, 100)


def test_what_uses_no_tokens_always_fits() -> None:
    assert held(Budget(Limits(8, tokens=1, cost=1e-9), Till(99, 99.0)), 0)


@pytest.mark.parametrize("limits", [Limits(8, tokens=1000), Limits(8, cost=1.0)])
def test_many_threads_never_overshoot(limits: Limits) -> None:
    """Each holds 70, uses up to 70 and records it before it gives its reservation back."""
    till, price, most = Till(), 0.001, [0]
    budget = Budget(limits, till, price=price)

    def request(number: int) -> bool:
        with budget.reserved(70) as granted:
            if granted:
                time.sleep(0.001)
                till.pay(70 - number % 7, price)
                most[0] = max(most[0], till()[0])
        return granted

    with ThreadPoolExecutor(16) as pool:
        granted = list(pool.map(request, range(64)))
    assert till()[0] <= 1000 and till()[1] <= 1.0
    assert till()[0] > 1000 - 70, "and the limit is used"
    assert 14 <= sum(granted) <= 16


def test_cost_counts_the_highest_price_of_what_is_in_flight() -> None:
    budget = Budget(Limits(8, cost=1.0), Till(0, 0.5), price=0.001)
    assert held(budget, 500) and not held(budget, 501)
    with budget.reserved(300):
        assert held(budget, 200) and not held(budget, 201)


def test_an_unknown_price_leaves_only_what_is_recorded() -> None:
    assert held(Budget(Limits(8, cost=1.0), Till(0, 0.99)), 10**6)
    assert not held(Budget(Limits(8, cost=1.0), Till(0, 1.01)), 1)


def test_both_limits_hold() -> None:
    assert not held(Budget(Limits(8, tokens=100, cost=1.0), Till(), price=1.0), 50)
    assert not held(Budget(Limits(8, tokens=10, cost=1.0), Till(), price=1e-9), 50)


@pytest.mark.parametrize(
    ("limits", "till", "said"),
    [
        (Limits(8, tokens=100), Till(100), "limit of 100 tokens is reached (100 used)"),
        (Limits(8, tokens=100), Till(99), None),
        (Limits(8, cost=0.5), Till(0, 0.5), "limit of 0.5 US dollars is reached (0.5000 spent)"),
        (Limits(8, cost=0.5), Till(0, 0.4999), None),
        (Limits(8, minutes=1e-9), Till(), "time limit of 1e-09 minutes is reached"),
        (Limits(8, minutes=10), Till(), None),
    ],
)
def test_exhausted_says_which_limit(limits: Limits, till: Till, said: str | None) -> None:
    found = Budget(limits, till).exhausted()
    assert found is None if said is None else said in str(found)


def test_minutes_of_earlier_sittings_count() -> None:
    budget = Budget(Limits(8, minutes=1), Till(), earlier=59.0)
    assert budget.exhausted() is None and 59 <= budget.seconds < 60
    assert Budget(Limits(8, minutes=1), Till(), earlier=60.0).exhausted() is not None
