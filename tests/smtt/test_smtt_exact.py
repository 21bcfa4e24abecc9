"""The exact solvers against a 2^n dynamic program, against each other and against their budgets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smtt_support import least_tardiness, small_instances, tardiness

from evaluators.smtt import exact
from evaluators.smtt.constructive import good_sequence, mdd
from evaluators.smtt.instances import CELLS, FAMILIES, Spec, generate
from evaluators.smtt.problem import lower_bound, total_tardiness


def test_proves_the_oracle_optimum_with_a_witness() -> None:
    for p, d in small_instances(400, 9, seed=7):
        found = exact.solve(p, d)
        assert found.optimum == least_tardiness(p.tolist(), d.tolist()), (p, d)
        assert sorted(found.sequence) == list(range(len(p)))
        assert tardiness(p, d, found.sequence) == found.optimum


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 12), st.integers(0, 50)), min_size=1, max_size=7))
def test_any_small_instance_is_solved(jobs: list[tuple[int, int]]) -> None:
    p, d = np.array([j[0] for j in jobs]), np.array([j[1] for j in jobs])
    assert exact.solve(p, d).optimum == least_tardiness(p.tolist(), d.tolist())


@settings(max_examples=60, deadline=None)
@given(st.permutations(range(8)), st.integers(0, 10_000))
def test_the_order_of_the_jobs_changes_no_optimum(order: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    p = rng.integers(1, 9, 8)
    d = rng.integers(0, int(p.sum()), 8)
    assert exact.solve(p, d).optimum == exact.solve(p[order], d[order]).optimum


def test_a_larger_oracle_instance() -> None:
    p, d = generate(Spec("heavy", 13, 60, 20, 1))
    assert exact.solve(p, d).optimum == least_tardiness(p.tolist(), d.tolist())


def test_special_cases() -> None:
    one = exact.solve(np.array([5]), np.array([3]))
    assert (one.optimum, one.sequence) == (2, (0,))
    early = exact.solve(np.array([5, 1]), np.array([100, 100]))
    assert early.optimum == 0
    late = exact.solve(np.array([5, 1, 3]), np.array([0, 0, 0]))
    assert late.sequence == (1, 2, 0)  # SPT is optimal when every job is late in any order
    assert late.optimum == 1 + 4 + 9


def test_bounds_and_heuristics_enclose_the_optimum() -> None:
    for p, d in small_instances(200, 9, seed=3):
        optimum = exact.solve(p, d).optimum
        assert lower_bound(p, d) <= optimum
        good = good_sequence(p, d)
        assert sorted(good) == list(range(len(p)))
        assert optimum <= total_tardiness(p, d, good) <= total_tardiness(p, d, mdd(p, d))


def test_budgets_end_a_proof() -> None:
    p, d = generate(Spec("pvw", 100, 60, 20, 5))
    with pytest.raises(exact.OutOfBudget, match="10 states"):
        exact.solve(p, d, states=10)
    with pytest.raises(exact.OutOfBudget, match="time"):
        exact.solve(p, d, seconds=1e-6)
    with pytest.raises(ValueError, match="at most 200"):
        exact.solve(np.ones(201, dtype=np.int64), np.ones(201, dtype=np.int64))


def test_the_recursion_is_safe_at_its_largest_size() -> None:
    n = exact.LARGEST
    p = np.arange(1, n + 1)
    d = np.cumsum(p) - p // 2 - 1
    found = exact.solve(p, d, states=200_000)
    assert tardiness(p, d, found.sequence) == found.optimum


class TestCompiled:
    """The solver of the extra ``exact``; skipped without numba."""

    @pytest.fixture(autouse=True)
    def compiled(self) -> None:
        pytest.importorskip("numba", reason="the extra `exact` (numba) is not installed")
        from evaluators.smtt import exact_numba

        self.solver = exact_numba

    def test_same_optimum_witness_and_states_as_pure_python(self) -> None:
        for p, d in small_instances(300, 10, seed=11):
            assert self.solver.solve(p, d) == exact.solve(p, d)
        for family in FAMILIES:
            for cell in CELLS[::3]:
                p, d = generate(Spec(family, 60, *cell, 2))
                assert self.solver.solve(p, d) == exact.solve(p, d)

    def test_slices_change_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        p, d = generate(Spec("pvw", 100, 60, 20, 5))
        whole = self.solver.solve(p, d)
        monkeypatch.setattr(self.solver, "SLICE", 97)
        assert self.solver.solve(p, d) == whole

    def test_budgets_and_sizes(self) -> None:
        p, d = generate(Spec("pvw", 200, 60, 20, 5))
        with pytest.raises(exact.OutOfBudget, match="states"):
            self.solver.solve(p, d, states=100)
        with pytest.raises(exact.OutOfBudget, match="time"):
            self.solver.solve(p, d, seconds=1e-9)
        assert not self.solver.takes(np.ones(1001, dtype=np.int64))
        assert not self.solver.takes(np.full(100, 2**45))
        with pytest.raises(ValueError, match="64 bits"):
            self.solver.solve(np.full(100, 2**45), np.zeros(100, dtype=np.int64))

    def test_five_hundred_jobs_in_seconds(self) -> None:
        p, d = generate(Spec("pvw", 500, 40, 60, 100_000))
        found = self.solver.solve(p, d, seconds=60)
        assert tardiness(p, d, found.sequence) == found.optimum
