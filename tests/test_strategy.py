"""Strategies: a plan is a function of snapshot and draw, and its shares are the ones that are written."""

from __future__ import annotations

import hashlib
import random
from collections import Counter

import pytest
from test_archive import SEEDS, archive, member

from db.records import EntryKey
from discovery.draws import generator, key
from discovery.errors import UsageError
from discovery.population.archive import Archive, Snapshot
from discovery.population.memory import Broken
from discovery.population.operators import Shares
from discovery.population.strategy import STRATEGIES, BestOfN, Islands, Plan, Situation, strategy
from discovery.proposers.base import EDITS, WRITES, Operator

DRAWS = 3000
ONLY_COMBINE = Shares(1.0, 0.0, 0.0, 0.0, 0.0)


def grown(islands: int = 3) -> Snapshot:
    made = archive(islands=islands, capacity=8)
    made.admit([member(k, 40.0 - k, island=k % islands) for k in range(18)])
    return made.snapshot()


def seen(snapshot: Snapshot, island: int) -> Situation:
    return Situation(island, snapshot, EDITS)


def plans(chosen: Islands | BestOfN, snapshot: Snapshot, island: int = 0, count: int = DRAWS) -> list[Plan]:
    return [chosen.plan(seen(snapshot, island), generator(1, k, 0, "plan")) for k in range(count)]


def test_plans_are_a_function_of_snapshot_and_draw() -> None:
    for chosen in STRATEGIES.values():
        first = [chosen.plan(seen(grown(), k % 3), generator(1, k, 0, "plan")) for k in range(50)]
        again = [chosen.plan(seen(grown(), k % 3), generator(1, k, 0, "plan")) for k in reversed(range(50))]
        assert first == again[::-1]
        assert first != [chosen.plan(seen(grown(), k % 3), generator(2, k, 0, "plan")) for k in range(50)]


def test_operators_have_their_shares() -> None:
    seen = Counter(p.operator for p in plans(Islands(), grown()))
    assert set(seen) == {"improve", "combine", "simplify"}
    assert seen["combine"] / DRAWS == pytest.approx(0.20, abs=0.03)
    assert seen["simplify"] / DRAWS == pytest.approx(0.05, abs=0.02)


def written(broken: tuple[Broken, ...], snapshot: Snapshot | None = None) -> list[Plan]:
    seen = Situation(0, snapshot or grown(), WRITES, broken)
    return [Islands().plan(seen, generator(1, k, 0, "plan")) for k in range(DRAWS)]


def test_a_proposer_that_writes_is_asked_for_more() -> None:
    """Every operator has its share where it is possible; improve takes the rest."""
    broken = tuple(Broken(EntryKey(k, "own"), f"h{k}", "error", "why") for k in range(3))
    found = written(broken)
    seen = Counter(p.operator for p in found)
    shares: dict[Operator, float] = {
        "combine": 0.2,
        "simplify": 0.05,
        "repair": 0.1,
        "create": 0.05,
        "reflect": 0.05,
    }
    for operator, share in shares.items():
        assert seen[operator] / DRAWS == pytest.approx(share, abs=0.025), operator
    assert seen["improve"] / DRAWS == pytest.approx(0.55, abs=0.03)
    assert {p.broken for p in found if p.operator == "repair"} == set(broken)
    assert all((p.broken is not None) == (p.operator == "repair") for p in found)
    compared = [p.parents for p in found if p.operator == "reflect"]
    assert all(len(p) == 2 and p[0].scores != p[1].scores for p in compared)


def test_nothing_is_repaired_or_reflected_on_before_there_is_something() -> None:
    alone = Archive(SEEDS, islands=1, capacity=4, direction="minimize").snapshot()
    assert {p.operator for p in written((), alone)} == {"improve", "combine", "simplify", "create"}
    assert "repair" not in {p.operator for p in written(())} and "reflect" in {
        p.operator for p in written(())
    }


def test_fewer_operators_leave_the_common_draws_as_they_are() -> None:
    """A proposer that only edits draws as it did before the others could write."""
    for less, more in zip(plans(Islands(), grown()), written(()), strict=True):
        assert less == more if more.operator in EDITS else less.operator == "improve"


@pytest.mark.parametrize("shares", [{"combine": -0.1}, {"combine": 0.7, "create": 0.4}])
def test_shares_are_parts_of_one(shares: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no parts of 1"):
        Shares(**shares)


def test_parents_come_from_the_island_or_now_and_then_from_the_next() -> None:
    snapshot = grown()
    homes = {m.key: i for i, island in enumerate(snapshot.islands) for m in island if m.key.k >= 0}
    first = [
        homes[p.parents[0].key] for p in plans(Islands(), snapshot, island=1) if p.parents[0].key in homes
    ]
    seen = Counter(first)
    assert set(seen) == {1, 2}, "the next island only"
    assert seen[2] / len(first) == pytest.approx(0.1, abs=0.03)
    last = Counter(
        homes[p.parents[0].key] for p in plans(Islands(), snapshot, island=2) if p.parents[0].key in homes
    )
    assert set(last) == {2, 0}, "the last island's next is the first"
    stay = plans(Islands(migrate=0.0), snapshot, island=1)
    assert {homes[p.key] for plan in stay for p in plan.parents if p.key in homes} == {1}


def test_better_members_are_parents_more_often() -> None:
    snapshot = grown(1)
    seen = Counter(p.parents[0].key for p in plans(Islands(), snapshot))
    counts = [seen[m.key] for m in snapshot.islands[0]]
    n = len(counts)
    expected = [DRAWS * (((n - k) / n) ** 3 - ((n - k - 1) / n) ** 3) for k in range(n)]
    assert counts == pytest.approx(expected, abs=5 * DRAWS**0.5)
    assert counts[0] > counts[3] > counts[-1]


def test_combine_takes_two_of_different_behaviour() -> None:
    for plan in plans(Islands(shares=ONLY_COMBINE), grown(), count=300):
        assert plan.operator == "combine" and len(plan.parents) == 2
        assert plan.parents[0].scores != plan.parents[1].scores


def test_with_nobody_to_combine_with_it_improves() -> None:
    alone = Archive(SEEDS[:1], islands=1, capacity=4, direction="minimize").snapshot()
    assert {p.operator for p in plans(Islands(shares=ONLY_COMBINE), alone, count=50)} == {"improve"}


def test_best_of_n_starts_from_seeds_only() -> None:
    found = plans(BestOfN(), grown(), count=400)
    assert {p.parents[0].key.k for p in found} == {-1, -2} and all(p.operator == "improve" for p in found)


def test_by_name() -> None:
    assert strategy("islands") == Islands() and strategy("best-of-n") == BestOfN()
    with pytest.raises(UsageError, match="there are: islands, best-of-n"):
        strategy("luck")


def test_draws_are_named_by_what_they_are_for() -> None:
    names = [(1, 2, 0, "a"), (1, 2, 0, "b"), (1, 2, 1, "a"), (12, 0, "a"), (1, "2", 0, "a")]
    assert len({generator(*parts).random() for parts in names}) == 5


def test_draws_are_the_same_on_every_machine() -> None:
    """The first 8 bytes of SHA-256 over the parts and their types, so that a recorded run stays repeatable."""
    seed = int.from_bytes(hashlib.sha256(b"i1/i17/i0/splan").digest()[:8], "little")
    assert key(1, 17, 0, "plan") == seed
    assert generator(1, 17, 0, "plan").random() == random.Random(seed).random()
