"""CP-SAT as a prover of least heights, against all offsets of a few buffers."""

from __future__ import annotations

import importlib.util

import alloc_oracle as oracle
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings

from evaluators.memory.alloc import exact, splits
from evaluators.memory.alloc.instances import CAPACITY, Spec, generate
from evaluators.memory.buffers import Buffers
from evaluators.registry import load
from evaluators.task import InstanceSet, Provable, TaskError

TASK = load("memory-alloc")
needs = pytest.mark.skipif(importlib.util.find_spec("ortools") is None, reason="the extra `cpsat` is missing")

GAP = [
    (0, 1, 3), (0, 1, 3), (1, 2, 2), (1, 2, 4), (2, 3, 3), (2, 3, 2), (3, 4, 2),
    (3, 4, 2), (4, 5, 1), (2, 5, 1), (3, 6, 1), (5, 6, 2), (4, 7, 3), (6, 7, 3),
]  # fmt: skip
"""No more than 6 are alive at once, but they need 7."""


def made(rows: list[oracle.Buffer]) -> Buffers:
    return Buffers(*np.array(rows, np.int64).T)


def of(*all_rows: list[oracle.Buffer]) -> InstanceSet:
    found = [made(rows) for rows in all_rows]
    return InstanceSet(
        "mine", tuple(splits.instance(str(k), "mine", b, b.bound, "bound") for k, b in enumerate(found))
    )


@needs
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(oracle.drawn(6))
def test_it_finds_the_least_height(rows: list[oracle.Buffer]) -> None:
    found = exact.solve(made(rows), 20.0)
    assert found.height == found.bound
    assert oracle.fits(rows, found.height) and not oracle.fits(rows, found.height - 1)
    assert made(rows).clash(found.offsets) is None and made(rows).height(found.offsets) == found.height


@given(oracle.drawn(7))
def test_the_bound_is_below_the_optimum_and_the_rule_above(rows: list[oracle.Buffer]) -> None:
    buffers = made(rows)
    assert (
        buffers.bound <= buffers.height(exact.greedy(buffers))
        and buffers.clash(exact.greedy(buffers)) is None
    )


@needs
@pytest.mark.parametrize(("family", "seed"), [("mixed", 1), ("tiles", 9), ("training", 0), ("powers", 0)])
def test_planted_optima_are_found(family: str, seed: int) -> None:
    buffers = generate(Spec(family, 16, seed))
    assert buffers.height(exact.greedy(buffers)) > CAPACITY, "rules alone do not"
    found = exact.solve(buffers, 30.0)
    assert found.height == found.bound == CAPACITY


@needs
def test_proofs_come_in_order_and_are_the_same_again() -> None:
    assert isinstance(TASK, Provable)
    instances = of(GAP, [(0, 1, 7)])
    first, second = TASK.prove(instances, "cp-sat", 10.0)
    assert (first.id, second.id) == ("0", "1")
    assert oracle.bound(GAP) == 6 and not oracle.fits(GAP, 6) and oracle.fits(GAP, 7)
    assert first.status == "proved" and first.optimum == first.bound == first.value == 7.0
    assert first.gap == 0.0
    assert second.optimum == 7.0 and second.sequence == (0,)
    again = next(iter(TASK.prove(instances, "cp-sat", 10.0)))
    assert again.sequence == first.sequence


@needs
def test_what_is_not_proved_has_a_bound() -> None:
    buffers = generate(Spec("mixed", 150, 5))
    instance = splits.instance("x", "mine", buffers, CAPACITY, "bound")
    (proof,) = exact.prove(InstanceSet("s", (instance,)), "cp-sat", 0.01)
    assert proof.status == "bound" and proof.optimum is None and proof.bound == CAPACITY
    assert proof.value is not None and proof.value > CAPACITY and proof.sequence is not None
    assert proof.gap == pytest.approx((proof.value - CAPACITY) / proof.value)


def test_too_many_buffers_are_bounded_by_a_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exact, "LARGEST", 3)
    found = exact.solve(made(GAP), 10.0)
    assert found.bound == oracle.bound(GAP) < found.height


def test_what_is_wrong_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(TaskError, match="unknown solver 'mip'; expected one of cp-sat"):
        exact.prove(of(GAP), "mip", 1.0)
    with pytest.raises(TaskError, match="the time limit is 0 seconds; expected a positive number"):
        exact.prove(of(GAP), "cp-sat", 0)
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(TaskError, match="needs OR-Tools; install the extra `cpsat`"):
        exact.prove(of(GAP), "cp-sat", 1.0)
