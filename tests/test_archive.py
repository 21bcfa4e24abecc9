"""The archive: capacity, one of a kind, and the same whatever order members come in."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.records import EntryKey
from discovery.population.archive import Archive, Member, rank
from evaluators.task import Direction


def member(
    k: int, score: float, *, island: int = 0, nodes: int = 10, scores: tuple[float, ...] | None = None
) -> Member:
    kind = "seed" if k < 0 else "own"
    return Member(EntryKey(k, kind), f"{k:064x}", f"# {k}", score, scores or (score, float(k)), nodes, island)  # type: ignore[arg-type]


SEEDS = (member(-1, 50.0), member(-2, 60.0))


def archive(
    direction: Direction = "minimize", *, islands: int = 2, capacity: int = 3, cells: int = 0
) -> Archive:
    return Archive(SEEDS, islands=islands, capacity=capacity, direction=direction, cells=cells)


def keys(island: tuple[Member, ...]) -> list[int]:
    return [m.key.k for m in island]


def test_seeds_stand_in_every_island() -> None:
    snapshot = archive().snapshot()
    assert [keys(i) for i in snapshot.islands] == [[-1, -2], [-1, -2]]
    assert snapshot.seeds[0].key.k == -1
    assert keys(archive("maximize").snapshot().seeds) == [-2, -1]
    assert keys(snapshot.members()) == [-1, -2], "each once"


def test_an_archive_needs_a_seed() -> None:
    with pytest.raises(ValueError, match="at least one seed"):
        Archive((), islands=1, capacity=2, direction="minimize")


def test_the_worst_leaves_a_full_island() -> None:
    made = archive()
    entered, left = made.admit([member(0, 40.0), member(1, 45.0, island=1), member(2, 30.0), member(4, 99.0)])
    assert entered == (EntryKey(0, "own"), EntryKey(1, "own"), EntryKey(2, "own")) and left == ()
    assert [keys(i) for i in made.snapshot().islands] == [[2, 0, -1], [1, -1, -2]]
    entered, left = made.admit([member(6, 20.0), member(5, 20.0, island=1)])
    assert left == (EntryKey(-2, "seed"),), "gone from the last island that held it"
    assert [keys(i) for i in made.snapshot().islands] == [[6, 2, 0], [5, 1, -1]]


def test_of_one_behaviour_the_smaller_then_the_earlier_stays() -> None:
    made, same = archive(capacity=8), (7.0, 9.0)
    made.admit([member(0, 8.0, scores=same, nodes=20)])
    entered, left = made.admit([member(2, 8.0, scores=same, nodes=5)])
    assert (keys_of(entered), keys_of(left)) == ([2], [0])
    entered, left = made.admit([member(4, 8.0, scores=same, nodes=5)])
    assert (entered, left) == ((), ())
    made.admit([member(1, 8.0, scores=same, island=1)])
    assert 1 in keys(made.snapshot().islands[1]), "islands are apart"


def keys_of(found: tuple[EntryKey, ...]) -> list[int]:
    return [key.k for key in found]


def test_equal_scores_of_another_behaviour_both_stay() -> None:
    made = archive(capacity=8)
    made.admit([member(0, 8.0, scores=(7.0, 9.0)), member(2, 8.0, scores=(9.0, 7.0))])
    assert keys(made.snapshot().islands[0])[:2] == [0, 2]


def test_would_enter_tells_what_admit_does() -> None:
    made = archive()
    made.admit([member(0, 40.0), member(2, 30.0)])
    assert made.would_enter(member(4, 20.0)) and not made.would_enter(member(4, 51.0))
    assert not made.would_enter(member(4, 40.0, scores=(40.0, 0.0)))
    assert keys(made.snapshot().islands[0]) == [2, 0, -1], "asking changes nothing"


def test_more_is_better_when_maximising() -> None:
    made = archive("maximize")
    made.admit([member(0, 40.0), member(2, 70.0), member(4, 65.0)])
    assert keys(made.snapshot().islands[0]) == [2, 4, -2]


def test_the_median_is_the_middle_or_the_better_of_two() -> None:
    made = archive(capacity=8)
    assert made.snapshot().median(0).key.k == -1
    made.admit([member(0, 40.0)])
    assert made.snapshot().median(0).key.k == -1, "40, 50, 60"
    assert made.snapshot().median(1).key.k == -1
    made.admit([member(2, 30.0)])
    assert made.snapshot().median(0).key.k == 0, "30, 40, 50, 60"
    assert made.snapshot().median(2) == made.snapshot().median(0), "islands are taken in turn"


def test_a_snapshot_stays_as_it_was() -> None:
    made = archive()
    before = made.snapshot()
    made.admit([member(0, 1.0)])
    assert keys(before.islands[0]) == [-1, -2] and before != made.snapshot()


made_members = st.lists(
    st.tuples(st.integers(1, 6), st.integers(1, 3), st.integers(0, 1), st.integers(0, 2)), max_size=24
)


@given(made_members, st.randoms(use_true_random=False), st.sampled_from(["minimize", "maximize"]))
def test_the_order_of_admission_does_not_matter(
    rows: list[tuple[int, int, int, int]], draw: random.Random, direction: Direction
) -> None:
    """In one batch or many, in any order: the same islands. Few levels, so that ties and equal behaviour are met."""
    members = [
        member(k, float(score), island=island, nodes=nodes, scores=(float(score), float(kind)))
        for k, (score, nodes, island, kind) in enumerate(rows)
    ]
    one, many = archive(direction, capacity=4), archive(direction, capacity=4)
    one.admit(members)
    draw.shuffle(members)
    while members:
        count = draw.randint(1, len(members))
        many.admit(members[:count])
        members = members[count:]
    assert one.snapshot() == many.snapshot()


@given(made_members)
def test_an_island_is_the_best_of_each_behaviour(rows: list[tuple[int, int, int, int]]) -> None:
    made = archive(capacity=4)
    for k, (score, nodes, island, kind) in enumerate(rows):
        before = {m.key for i in made.snapshot().islands for m in i}
        behaviour = (float(score), float(kind))
        entered, left = made.admit([member(k, float(score), island=island, nodes=nodes, scores=behaviour)])
        after = {m.key for i in made.snapshot().islands for m in i}
        assert (set(entered), set(left)) == (after - before, before - after)
    for island in made.snapshot().islands:
        assert 1 <= len(island) <= 4 and len({m.scores for m in island}) == len(island)
        assert list(island) == sorted(island, key=lambda m: rank(m, "minimize"))


def test_islands_exchange_their_best_when_it_is_time() -> None:
    made = Archive(SEEDS, islands=3, capacity=3, direction="minimize", migration=2)
    assert made.admit([member(0, 10.0), member(1, 20.0, island=1)], 0)[1] == ()
    assert [keys(i) for i in made.snapshot().islands] == [[0, -1, -2], [1, -1, -2], [-1, -2]]
    entered, left = made.admit([], 1)
    assert [keys(i) for i in made.snapshot().islands] == [[0, -1, -2], [0, 1, -1], [1, -1, -2]]
    assert entered == left == (), "a member in two islands is one member"
    made.admit([], 2)
    assert keys(made.snapshot().islands[2]) == [1, -1, -2], "only every second batch"
    made.admit([], 3)
    assert keys(made.snapshot().islands[2]) == [0, 1, -1]


def test_an_offer_is_not_always_taken() -> None:
    made = Archive(SEEDS, islands=2, capacity=2, direction="minimize", migration=1)
    better = [member(k, float(k), island=1) for k in (1, 3)]
    made.admit([member(0, 30.0), *better], 0)
    assert keys(made.snapshot().islands[1]) == [1, 3] and keys(made.snapshot().islands[0]) == [1, 0]


def test_one_island_has_nobody_to_exchange_with() -> None:
    made = Archive(SEEDS, islands=1, capacity=2, direction="minimize", migration=1)
    before = made.snapshot()
    made.admit([], 0)
    assert made.snapshot() == before
