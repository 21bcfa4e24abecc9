# ruff: noqa: ARG005
"""The child's side: what a candidate gets, what it may return, and what is said about everything else."""

from __future__ import annotations

import ast
from array import array
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smtt_support import answer_of, instance

from evaluators.registry import load
from evaluators.smtt import adapter, index_adapter

THREE = instance([3, 1, 2], [5, 6, 7])


def test_the_adapters_import_numpy_and_nothing_of_the_project() -> None:
    for name in ("smtt", "smtt-index"):
        tree = ast.parse(load(name).adapter.read_text())
        modules = {a.name for n in ast.walk(tree) if isinstance(n, ast.Import) for a in n.names}
        modules |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        assert modules == {"numpy", "typing", "collections.abc"} | (
            {"itertools"} if name == "smtt" else set()
        )
        assert answer_of(load(name))


def test_a_candidate_gets_writable_copies_and_its_parameters() -> None:
    def schedule(processing_times: Any, due_dates: Any, *, k: float) -> Any:
        assert (processing_times.dtype, due_dates.dtype, k) == (np.int64, np.int64, 2.5)
        assert (processing_times.tolist(), due_dates.tolist()) == ([3, 1, 2], [5, 6, 7])
        processing_times[:] = due_dates[:] = 0
        return [2, 0, 1]

    assert np.frombuffer(adapter.answer(schedule, THREE.payload, {"k": 2.5}), "<i8").tolist() == [2, 0, 1]


@pytest.mark.parametrize(
    "result",
    [
        [2, 0, 1], (2, 0, 1), deque([2, 0, 1]), array("q", [2, 0, 1]), [np.int32(2), np.uint8(0), 1],
        np.array([2, 0, 1]), np.array([2, 0, 1], dtype=np.uint8), np.array([2, 0, 1], dtype=np.uint64),
        np.array([2, 0, 1], dtype=">i4"), np.array([2, 0, 1], dtype=object), np.array([9, 2, 9, 0, 9, 1])[1::2],
    ],
)  # fmt: skip
def test_any_sequence_of_integers_is_an_answer(result: Any) -> None:
    assert (
        adapter.answer(lambda p, d: result, THREE.payload, {}) == np.array([2, 0, 1], dtype="<i8").tobytes()
    )


class Endless:
    def __len__(self) -> int:
        return 3

    def __iter__(self) -> Any:
        while True:
            yield 0


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (None, "returned NoneType; expected a list or array of 3"),
        (7, "returned int"),
        ("012", "returned str"),
        (b"012", "returned bytes"),
        ({0: 1, 1: 2, 2: 0}, "returned dict"),
        ({0, 1, 2}, "returned set"),
        ((x for x in (0, 1, 2)), "returned generator"),
        ([0, 1], "returned 2 jobs; the instance has 3"),
        ([0, 1, 2, 3], "returned 4 jobs"),
        (range(10**9), "returned 1000000000 jobs"),
        ([True, 2, 0], "a bool among the job indices"),
        ([0.0, 1, 2], "a float among"),
        (["0", 1, 2], "a str among"),
        ([None, 1, 2], "a NoneType among"),
        ([[0], [1], [2]], "a list among"),
        ([0, 1, 10**5000], "returned job a number beyond 64 bits"),
        ([0, 1, -1], "returned job"),
        (np.array([0.0, 1.0, 2.0]), "array of float64; job indices must be integers"),
        (np.array([True, False, True]), "array of bool"),
        (np.array(["0", "1", "2"]), "array of <U1"),
        (np.array([[0, 1, 2]]), r"shape \(1, 3\); expected \(3,\)"),
        (np.array(3), r"shape \(\)"),
        (np.array([0, 1, 2**64 - 1], dtype=np.uint64), "returned job"),
        (np.array([0, 1.5, 2], dtype=object), "a float among"),
        (Endless(), "as many jobs as its length"),
    ],
)
def test_every_other_result_is_refused_with_a_reason(result: Any, reason: str) -> None:
    with pytest.raises((TypeError, ValueError), match=reason) as error:
        adapter.answer(lambda p, d: result, THREE.payload, {})
    assert len(str(error.value)) < 300


def by_definition(priority: Callable[..., Any], p: list[int], d: list[int]) -> list[int]:
    """The harness in plain words: lowest number first, ties by processing time, then by index."""
    left, time, sequence = sorted(range(len(p)), key=lambda j: (p[j], j)), 0, []
    while left:
        keys = priority(np.array([p[j] for j in left]), np.array([d[j] for j in left]), time)
        chosen = min(zip(keys, (p[j] for j in left), left, strict=True))[2]
        sequence.append(chosen)
        time += p[chosen]
        left.remove(chosen)
    return sequence


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 30)), min_size=1, max_size=15), st.integers(0, 3))
def test_the_harness_takes_the_lowest_priority(jobs: list[tuple[int, int]], which: int) -> None:
    p, d = [j[0] for j in jobs], [j[1] for j in jobs]
    rules: list[Callable[..., Any]] = [
        lambda p, d, t: d,
        lambda p, d, t: np.maximum(d, t + p),
        lambda p, d, t: d % 3,
        lambda p, d, t: -((p * 7 + d * 3 + t) % 5) / 2,
    ]
    one = instance(p, d)
    found = np.frombuffer(index_adapter.answer(rules[which], one.payload, {}), "<i8").tolist()
    assert found == by_definition(rules[which], p, d)


def test_the_candidate_sees_the_waiting_jobs_only_and_cannot_change_them() -> None:
    seen: list[tuple[list[int], list[int], int, type]] = []

    def priority(processing_times: Any, due_dates: Any, time: Any, *, k: int) -> Any:
        seen.append((processing_times.tolist(), due_dates.tolist(), time, type(time)))
        keys = due_dates.astype(float) * k
        processing_times[:] = due_dates[:] = 99
        return keys

    found = index_adapter.answer(priority, THREE.payload, {"k": 1})
    assert np.frombuffer(found, "<i8").tolist() == [0, 1, 2]
    assert seen == [([1, 2, 3], [6, 7, 5], 0, int), ([1, 2], [6, 7], 3, int)]


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (None, "returned NoneType"),
        (1.0, "returned float"),
        ([1.0, 2.0], r"shape \(2,\)"),
        ([[1.0, 2.0, 3.0]], r"shape \(1, 3\)"),
        (["a", "b", "c"], "expected one number for each of the 3"),
        ([1.0, 2.0, float("nan")], "returned nan; priorities must be finite"),
        ([1.0, 2.0, float("inf")], "returned inf"),
        (np.array([1, 2, 3], dtype=complex), "expected one number"),
        (np.array([1, 2, 10**400], dtype=object), "expected one number"),
    ],
)
def test_bad_priorities_are_refused_with_a_reason(result: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as error:
        index_adapter.answer(lambda p, d, t: result, THREE.payload, {})
    assert len(str(error.value)) < 300
