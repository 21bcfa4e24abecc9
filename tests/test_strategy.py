"""Strategies: a plan is a function of snapshot and draw, and its shares are the ones that are written."""

from __future__ import annotations

import hashlib
import random
from collections import Counter
from dataclasses import dataclass

import pytest
from test_archive import SEEDS, archive, member

from db.records import EntryKey
from discovery.draws import generator, key
from discovery.errors import EnvironmentProblem
from discovery.population.archive import Archive, Member, Snapshot
from discovery.population.best_of_n import BestOfN
from discovery.population.fronts import complementary
from discovery.population.islands import Islands
from discovery.population.memory import Broken
from discovery.population.operators import Shares
from discovery.population.reflective import Reflective
from discovery.population.strategy import Plan, Situation, Strategy, planned
from discovery.proposers.base import EDITS, WRITES, Operator

DRAWS = 3000
ONLY_COMBINE = Shares(1.0, 0.0, 0.0, 0.0, 0.0)


def grown(islands: int = 3, cells: int = 0) -> Snapshot:
    made = archive(islands=islands, capacity=8, cells=cells)
    # Each is best somewhere: the scores of the first go up as those of the second go down.
    made.admit(
        [
            member(k, 40.0 - k, island=k % islands, scores=(40.0 - k, float(k)), nodes=4 + 3 * k)
            for k in range(18)
        ]
    )
    return made.snapshot()


def seen(snapshot: Snapshot, island: int) -> Situation:
    return Situation(island, snapshot, EDITS)


def plans(chosen: Strategy, snapshot: Snapshot, island: int = 0, count: int = DRAWS) -> list[Plan]:
    return [chosen.plan(seen(snapshot, island), generator(1, k, 0, "plan")) for k in range(count)]


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
    assert all(len(p) == 2 and complementary(*p) for p in compared)


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
    stay = plans(Islands(mate=0.0), snapshot, island=1)
    assert {homes[p.key] for plan in stay for p in plan.parents if p.key in homes} == {1}


def test_better_members_are_parents_more_often() -> None:
    snapshot = grown(1)
    seen = Counter(p.parents[0].key for p in plans(Islands(), snapshot))
    counts = [seen[m.key] for m in snapshot.islands[0]]
    n = len(counts)
    expected = [DRAWS * (((n - k) / n) ** 3 - ((n - k - 1) / n) ** 3) for k in range(n)]
    assert counts == pytest.approx(expected, abs=5 * DRAWS**0.5)
    assert counts[0] > counts[3] > counts[-1]


def test_combine_takes_two_that_are_each_better_somewhere() -> None:
    for plan in plans(Islands(shares=ONLY_COMBINE), grown(), count=300):
        assert plan.operator == "combine" and complementary(*plan.parents)


def test_one_that_is_worse_everywhere_is_no_partner() -> None:
    made = Archive(SEEDS, islands=1, capacity=4, direction="minimize")
    made.admit([member(0, 1.0, scores=(1.0, -3.0))])
    assert {p.operator for p in plans(Islands(shares=ONLY_COMBINE), made.snapshot(), count=50)} == {
        "improve",
        "combine",
    }
    assert all(
        {m.key.k for m in p.parents} == {-1, -2}
        for p in plans(Islands(shares=ONLY_COMBINE), made.snapshot(), count=50)
        if p.operator == "combine"
    )


def test_with_nobody_to_combine_with_it_improves() -> None:
    alone = Archive(SEEDS[:1], islands=1, capacity=4, direction="minimize").snapshot()
    assert {p.operator for p in plans(Islands(shares=ONLY_COMBINE), alone, count=50)} == {"improve"}


def test_best_of_n_starts_from_seeds_only() -> None:
    found = plans(BestOfN(), grown(), count=400)
    assert {p.parents[0].key.k for p in found} == {-1, -2} and all(p.operator == "improve" for p in found)


# -- fronts, kinds --


def fronts_of(wins: dict[int, int]) -> Snapshot:
    """A snapshot in which member k wins on as many instances as ``wins`` says; the smaller number the better rank."""
    total, made, start = sum(wins.values()), [], 0
    for k, count in wins.items():
        scores = tuple(1.0 if start <= i < start + count else 5.0 + k for i in range(total))
        made.append(member(k, float(k), scores=scores, island=0))
        start += count
    worst = member(99, 99.0, scores=(99.0,) * total)
    return Snapshot(((*made, worst),), (worst,), "minimize")


def shares(found: list[Plan]) -> dict[int, float]:
    seen = Counter(p.parents[0].key.k for p in found)
    return {k: n / len(found) for k, n in seen.items()}


def test_a_share_of_parents_is_drawn_by_the_instances_that_they_win() -> None:
    snapshot = fronts_of({0: 1, 1: 2, 2: 7})
    assert snapshot.wins == tuple(zip(snapshot.islands[0][:3], (1, 2, 7), strict=True))
    drawn = shares(plans(Islands(front=1.0), snapshot))
    assert drawn == pytest.approx({0: 0.1, 1: 0.2, 2: 0.7}, abs=0.03)
    plain = shares(plans(Islands(), snapshot))
    half = shares(plans(Islands(front=0.5), snapshot))
    assert plain[2] < 0.2 and half[2] == pytest.approx((plain[2] + 0.7) / 2, abs=0.04)


def test_a_share_of_parents_is_the_best_of_a_kind() -> None:
    snapshot = grown(cells=12)
    assert len(snapshot.cells) > 3
    drawn = shares(plans(Islands(niche=1.0), snapshot))
    even = 1 / len(snapshot.cells)
    assert drawn == pytest.approx({m.key.k: even for m in snapshot.cells}, abs=0.03)
    assert plans(Islands(niche=1.0), grown()) == plans(Islands(niche=0.0), grown()), "without cells, no draw"


def test_reflective_draws_parents_from_the_front() -> None:
    snapshot = fronts_of({0: 1, 1: 2, 2: 7})
    found = plans(Reflective(), snapshot)
    assert shares([p for p in found if p.operator == "improve"]) == pytest.approx(
        {0: 0.1, 1: 0.2, 2: 0.7}, abs=0.03
    )
    merged = [p for p in found if p.operator == "combine"]
    assert len(merged) / DRAWS == pytest.approx(0.15, abs=0.02)
    assert all(complementary(*p.parents) for p in merged)
    assert {m.key.k for p in merged for m in p.parents} == {0, 1, 2}


def test_reflective_reflects_and_repairs_where_the_proposer_can() -> None:
    broken = tuple(Broken(EntryKey(k, "own"), f"{k:064x}", "error", "ZeroDivisionError") for k in (3, 5))
    found = [
        Reflective().plan(Situation(0, grown(), WRITES, broken), generator(1, k, 0, "plan"))
        for k in range(DRAWS)
    ]
    seen = Counter(p.operator for p in found)
    assert seen["reflect"] / DRAWS == pytest.approx(0.05, abs=0.02)
    assert seen["repair"] / DRAWS == pytest.approx(0.15, abs=0.02)
    assert {p.broken for p in found if p.operator == "repair"} == set(broken)
    assert {p.operator for p in plans(Reflective(), grown())} == {"improve", "combine"}


# -- what a strategy may not do --


@dataclass(frozen=True)
class Fixed:
    """Plans the same always, or raises it."""

    what: Plan | Exception
    name: str = "fixed"

    def plan(self, situation: Situation, draw: random.Random) -> Plan:  # noqa: ARG002
        if isinstance(self.what, Exception):
            raise self.what
        return self.what


ONE, OTHER = grown().members()[:2]
STRANGER: Member = member(77, 1.0)


@pytest.mark.parametrize(
    "what, sentence",
    [
        (
            Plan("reflect", (ONE,)),
            "plans 'reflect', which the proposer cannot do (it can: combine, improve, simplify)",
        ),
        (Plan("improve", ()), "plans 'improve' with too few different parents"),
        (Plan("combine", (ONE, ONE)), "plans 'combine' with too few different parents"),
        (Plan("improve", (STRANGER,)), "plans with a parent that is not in the archive"),
        (KeyError("speed"), "failed: KeyError: 'speed'"),
    ],
)
def test_a_plan_that_is_not_allowed_names_the_strategy(what: Plan | Exception, sentence: str) -> None:
    with pytest.raises(EnvironmentProblem) as raised:
        planned(Fixed(what), seen(grown(), 0), random.Random(1))
    assert str(raised.value) == f"strategy 'fixed' {sentence}; its package has to be mended"


def test_a_repair_needs_something_broken() -> None:
    broken = Broken(EntryKey(3, "own"), "a" * 64, "error", "why")
    can: frozenset[Operator] = frozenset({"improve", "repair"})
    plan = Plan("repair", (ONE,), broken)
    assert planned(Fixed(plan), Situation(0, grown(), can, (broken,)), random.Random(1)) == plan
    with pytest.raises(EnvironmentProblem, match="not there to be repaired"):
        planned(Fixed(plan), Situation(0, grown(), can), random.Random(1))


def test_a_seed_that_left_the_archive_is_still_a_parent() -> None:
    made = archive(islands=1, capacity=2)
    made.admit([member(k, float(k)) for k in range(4)])
    assert not {m.key for m in made.snapshot().members()} & {m.key for m in SEEDS}
    assert planned(BestOfN(), seen(made.snapshot(), 0), random.Random(1)).operator == "improve"


# -- draws --


def test_draws_are_named_by_what_they_are_for() -> None:
    names = [(1, 2, 0, "a"), (1, 2, 0, "b"), (1, 2, 1, "a"), (12, 0, "a"), (1, "2", 0, "a")]
    assert len({generator(*parts).random() for parts in names}) == 5


def test_draws_are_the_same_on_every_machine() -> None:
    """The first 8 bytes of SHA-256 over the parts and their types, so that a recorded run stays repeatable."""
    seed = int.from_bytes(hashlib.sha256(b"i1/i17/i0/splan").digest()[:8], "little")
    assert key(1, 17, 0, "plan") == seed
    assert generator(1, 17, 0, "plan").random() == random.Random(seed).random()
