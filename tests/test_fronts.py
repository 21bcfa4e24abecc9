"""Fronts: who is best on an instance, who is best for its size, and who completes whom."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_archive import member

from db.records import EntryKey
from discovery.population.fronts import best_by_instance, complementary, pareto_front, wins_of
from discovery.population.member import Member, age, rank
from discovery.population.snapshot import Snapshot
from evaluators.task import Direction


def keys(found: tuple[Member, ...]) -> list[int]:
    return [m.key.k for m in found]


A = member(0, 5.0, scores=(1.0, 9.0, 5.0), nodes=30)
B = member(1, 5.0, scores=(9.0, 1.0, 5.0), nodes=20)
C = member(2, 4.0, scores=(4.0, 4.0, 4.0), nodes=40)
D = member(3, 9.0, scores=(9.0, 9.0, 9.0), nodes=5)


def test_the_best_of_each_instance_and_of_equals_the_earlier() -> None:
    assert keys(best_by_instance((A, B, C, D), "minimize")) == [0, 1, 2]
    assert keys(best_by_instance((D, C, B, A), "maximize")) == [1, 0, 3]
    same = tuple(member(k, 1.0, scores=(1.0, 1.0)) for k in (4, 3))
    assert keys(best_by_instance(same, "minimize")) == [3, 3]


def test_a_seed_is_earlier_than_a_slot_and_a_slot_than_its_tuned_child() -> None:
    tuned = replace(member(0, 1.0), key=EntryKey(0, "tuned"))
    found = sorted((tuned, member(0, 1.0), member(-2, 1.0), member(-1, 1.0)), key=age)
    assert [tuple(m.key) for m in found] == [(-1, "seed"), (-2, "seed"), (0, "own"), (0, "tuned")]


def test_wins_count_instances_best_ranked_first() -> None:
    front = best_by_instance((A, B, D), "minimize")
    assert keys(front) == [0, 1, 0]
    assert [(m.key.k, n) for m, n in wins_of(front, "minimize")] == [(1, 1), (0, 2)]


def test_pareto_keeps_who_is_better_or_smaller() -> None:
    assert keys(pareto_front((A, B, C, D), "minimize")) == [2, 1, 3], "A is as good as B and larger"
    assert keys(pareto_front((A, B, C, D), "maximize")) == [3]


def test_complementary_is_better_somewhere_and_worse_elsewhere() -> None:
    assert complementary(A, B) and complementary(B, A) and complementary(A, C)
    assert not complementary(A, A) and not complementary(C, D) and not complementary(D, C)


cells = st.lists(st.tuples(st.integers(1, 4), st.tuples(*[st.integers(0, 3)] * 3)), min_size=1, max_size=12)


@given(cells, st.sampled_from(["minimize", "maximize"]))
def test_fronts_against_their_definitions(
    rows: list[tuple[int, tuple[int, ...]]], direction: Direction
) -> None:
    sign = 1 if direction == "minimize" else -1
    members = tuple(
        member(k, float(sum(scores)), nodes=nodes, scores=tuple(map(float, scores)))
        for k, (nodes, scores) in enumerate(rows)
    )
    snapshot = Snapshot((members,), members[:1], direction)
    assert len(snapshot.fronts) == 3 and sum(n for _, n in snapshot.wins) == 3
    for i, winner in enumerate(snapshot.fronts):
        assert all((sign * winner.scores[i], winner.key.k) <= (sign * m.scores[i], m.key.k) for m in members)
    for m in members:
        beaten = any(
            (sign * o.score <= sign * m.score and o.nodes <= m.nodes)
            and ((sign * o.score, o.nodes) != (sign * m.score, m.nodes) or o.key < m.key)
            for o in members
        )
        assert (m in snapshot.pareto) is not beaten
    assert list(snapshot.pareto) == sorted(snapshot.pareto, key=lambda m: rank(m, direction))


def test_views_of_a_snapshot_are_made_once() -> None:
    snapshot = Snapshot(((C, A, B, D),), (D,), "minimize")
    assert snapshot.fronts is snapshot.fronts and snapshot.pareto is snapshot.pareto
    assert snapshot.wins is snapshot.wins and snapshot.members() is snapshot.members()


def test_fronts_of_scores_of_unequal_length_are_a_mistake() -> None:
    with pytest.raises(ValueError, match="argument"):
        best_by_instance((A, member(9, 1.0)), "minimize")


def test_the_signature_is_the_behaviour() -> None:
    assert A.signature == replace(A, hash="f" * 64, nodes=1).signature != B.signature
    assert len(A.signature) == 64
