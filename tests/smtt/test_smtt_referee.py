"""The referee: permutations, the objective, the floored gap, impossible answers and the further figures."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smtt_support import instance, tardiness

from evaluators.smtt.problem import decode, total_tardiness
from evaluators.smtt.referee import figures, judge
from evaluators.smtt.task import Smtt
from evaluators.task import ImpossibleAnswer, InvalidAnswer


def pack(sequence: list[int]) -> bytes:
    return np.array(sequence, dtype="<i8").tobytes()


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 30).flatmap(lambda n: st.tuples(st.permutations(range(n)), st.integers(0, 9999))))
def test_every_permutation_gets_its_exact_tardiness(case: tuple[list[int], int]) -> None:
    sequence, seed = case
    rng = np.random.default_rng(seed)
    p = rng.integers(1, 2**40, len(sequence))
    d = rng.integers(0, int(p.sum()) + 1, len(sequence))
    exact = tardiness(p, d, sequence)
    found = judge(instance(p, d, reference=0.0), pack(sequence))
    assert found.value == exact
    assert found.score == 100.0 * exact / int(p.sum())
    assert total_tardiness(p, d, sequence) == exact


def test_the_gap_is_floored_by_the_sum_of_processing_times() -> None:
    small = instance([2, 8], [2, 3], reference=7.0)  # optimum 7 below Σp = 10: the floor is 10
    assert judge(small, pack([0, 1])).score == 0.0
    assert judge(small, pack([1, 0])).score == pytest.approx(100 * (5 + 8 - 7) / 10)
    large = instance([2, 8], [0, 0], reference=12.0)  # optimum 12 above Σp: the plain gap
    assert judge(large, pack([1, 0])).score == pytest.approx(100 * (18 - 12) / 12)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"", "0 bytes; 3 jobs need 24"),
        (pack([0, 1]), "16 bytes"),
        (pack([0, 1, 2, 0]), "32 bytes"),
        (b"\0" * 23, "23 bytes"),
        (pack([0, 1, 3]), "position 2 of the sequence holds 3; jobs are numbered 0 to 2"),
        (pack([0, -1, 2]), "position 1 of the sequence holds -1"),
        (pack([0, 2**62, 2]), "position 1"),
        (pack([0, 2, 2]), "job 2 occurs 2 times and job 1 is missing"),
        (pack([0, 0, 0]), "job 0 occurs 3 times"),
    ],
)
def test_what_is_no_permutation_is_refused(answer: bytes, reason: str) -> None:
    with pytest.raises(InvalidAnswer, match=reason):
        judge(instance([1, 2, 3], [1, 2, 3], reference=3.0), answer)


def test_beating_a_proved_optimum_is_impossible() -> None:
    with pytest.raises(ImpossibleAnswer, match="beats the proved optimum 5"):
        judge(instance([1, 2], [1, 2], reference=5.0), pack([0, 1]))
    assert judge(instance([1, 2], [1, 2], reference=5.0, kind="best known"), pack([0, 1])).score < 0
    assert judge(instance([1, 2], [1, 2], reference=5.0, kind="baseline"), pack([0, 1])).score < 0


def test_without_a_reference_there_is_no_score() -> None:
    with pytest.raises(ValueError, match="no reference"):
        judge(instance([1, 2], [1, 2]), pack([0, 1]))


def test_figures() -> None:
    zero = instance([2, 8], [10, 10], reference=0.0)
    one = instance([2, 8], [0, 0], reference=12.0)
    two = instance([2, 8], [2, 3], reference=7.0)
    found = {f.name: f.value for f in figures([zero, one, two], [1.0, 12.0, 14.0])}
    assert found["share optimal"] == pytest.approx(100 / 3)
    assert found["plain mean gap"] == pytest.approx((0 + 100) / 2)
    assert found["pooled gap"] == pytest.approx(100 * (27 - 19) / 19)
    assert found["missed among zero optima"] == 1
    assert found["worst class (user)"] == pytest.approx((10 + 0 + 70) / 3)
    assert figures([instance([1], [1])], [0.0]) == ()
    assert [f.name for f in figures([zero], [0.0])] == [
        "share optimal", "worst class (user)", "missed among zero optima"
    ]  # fmt: skip


def test_the_witness_scores_zero_on_a_shipped_instance() -> None:
    from evaluators.smtt import references

    first = Smtt({}).instances("search").instances[0]
    sequence = references.witnesses("search-pvw")[0]
    assert judge(first, pack(list(sequence))).score == 0.0
    assert len(decode(first.payload)[0]) == first.size
