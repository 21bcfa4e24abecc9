"""The best of each kind: what a kind is, how many are kept, and that they are members like those of an island."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_archive import SEEDS, member

from db.records import EntryKey
from discovery.population.archive import Archive
from discovery.population.cells import Cells, cell_of
from discovery.population.member import Member, rank
from evaluators.task import Direction

SEED = replace(SEEDS[0], by_group={"easy": 10.0, "hard": 100.0})


def kind(k: int, score: float, nodes: int, island: int = 0) -> Member:
    return member(k, score, nodes=nodes, island=island)


def keys(found: tuple[Member, ...]) -> list[int]:
    return [m.key.k for m in found]


def test_size_and_lines_count_by_powers_of_two() -> None:
    found = [cell_of(replace(member(1, 1.0, nodes=n), lines=9 * n), SEED, "minimize") for n in (8, 15, 16)]
    assert found[0][0] == found[1][0] == found[2][0] - 1
    assert found[0][1] < found[2][1]


@pytest.mark.parametrize(
    "by_group, direction, strongest",
    [
        ({"easy": 5.0, "hard": 95.0}, "minimize", "easy"),
        ({"easy": 9.9, "hard": 60.0}, "minimize", "hard"),
        ({"easy": 11.0, "hard": 101.0}, "minimize", ""),
        ({"easy": 11.0, "hard": 190.0}, "maximize", "hard"),
        ({}, "minimize", ""),
    ],
)
def test_strength_is_the_class_with_the_largest_gain_over_the_seed(
    by_group: dict[str, float], direction: Direction, strongest: str
) -> None:
    assert cell_of(replace(member(1, 1.0), by_group=by_group), SEED, direction)[2] == strongest


def test_a_seed_that_is_perfect_in_a_class_divides_nothing_by_zero() -> None:
    perfect = replace(SEED, by_group={"easy": 0.0})
    assert cell_of(replace(member(1, 1.0), by_group={"easy": 1.0}), perfect, "minimize")[2] == ""
    assert cell_of(replace(member(1, 1.0), by_group={"easy": 1.0}), perfect, "maximize")[2] == "easy"


def test_what_the_task_says_counts_by_quarters() -> None:
    found = [
        cell_of(replace(member(1, 1.0), traits={"t": t}), SEED, "minimize")[3] for t in (0.0, 0.2, 0.3, 1.0)
    ]
    assert found == [(("t", 0),), (("t", 0),), (("t", 1),), (("t", 3),)]


def test_a_worse_member_of_another_kind_is_kept_and_a_better_one_of_its_kind_takes_its_place() -> None:
    made = Archive(SEEDS, islands=1, capacity=2, direction="minimize", cells=3)
    made.admit([kind(0, 40.0, 10), kind(1, 41.0, 10)])
    small = kind(2, 59.0, 2)
    assert made.would_enter(small)
    assert made.admit([small]) == ((small.key,), ())
    snapshot = made.snapshot()
    assert keys(snapshot.islands[0]) == [0, 1] and keys(snapshot.cells) == [0, 2]
    assert small in snapshot.members() and snapshot.pareto[-1] == small
    assert not made.would_enter(kind(3, 60.0, 3)), "its kind has a better one"
    better = kind(4, 58.0, 3)
    assert made.admit([better]) == ((better.key,), (small.key,))


def test_without_cells_nothing_is_kept_besides_the_islands() -> None:
    made = Archive(SEEDS, islands=1, capacity=2, direction="minimize")
    made.admit([kind(0, 40.0, 10), kind(1, 41.0, 10)])
    assert not made.would_enter(kind(2, 59.0, 2)) and made.snapshot().cells == ()


rows = st.lists(st.tuples(st.integers(1, 6), st.integers(1, 40), st.integers(0, 1)), max_size=24)


@given(rows, st.randoms(use_true_random=False), st.sampled_from(["minimize", "maximize"]), st.integers(0, 4))
def test_the_order_of_arrival_does_not_matter_and_the_number_is_bounded(
    found: list[tuple[int, int, int]], draw: random.Random, direction: Direction, capacity: int
) -> None:
    members = [kind(k, float(score), nodes, island) for k, (score, nodes, island) in enumerate(found)]
    archives = [Archive(SEEDS, islands=2, capacity=2, direction=direction, cells=capacity) for _ in range(2)]
    archives[0].admit(members)
    draw.shuffle(members)
    for one in members:
        before = {m.key for m in archives[1].snapshot().members()}
        would = archives[1].would_enter(one)
        entered, left = archives[1].admit([one])
        after = {m.key for m in archives[1].snapshot().members()}
        assert (set(entered), set(left)) == (after - before, before - after)
        assert would is (one.key in after)
    assert archives[0].snapshot() == archives[1].snapshot()
    kept = archives[0].snapshot().cells
    best: dict[int, tuple[float, int, EntryKey]] = {}
    for m in (*SEEDS, *members):
        size = m.nodes.bit_length()
        best[size] = min(best.get(size, rank(m, direction)), rank(m, direction))
    assert [rank(m, direction) for m in kept] == sorted(best.values())[:capacity]


def test_nobody_who_left_comes_back() -> None:
    """Through hundreds of members, islands that exchange their best and few cells: membership is one interval."""
    made = Archive(SEEDS, islands=3, capacity=3, direction="minimize", cells=3, migration=2)
    draw, gone, inside = random.Random(1), set(), {m.key for m in SEEDS}
    for g in range(80):
        members = [kind(8 * g + j, draw.uniform(0, 60), draw.choice((3, 9, 17, 40)), j) for j in range(8)]
        entered, left = made.admit(members, g)
        assert not gone & set(entered)
        inside = (inside | set(entered)) - set(left)
        gone |= set(left)
        assert inside == {m.key for m in made.snapshot().members()} and len(inside) <= 12
    assert len(gone) > 20


def test_the_best_of_an_empty_world_is_a_seed() -> None:
    assert keys(Cells(SEEDS, capacity=5, direction="minimize").members) == [-1]
