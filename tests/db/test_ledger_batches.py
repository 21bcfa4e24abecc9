"""Integration of batches, snapshots of the archive, the digest."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_samples import RUN, batch_of, hash_of, key, own, put, run_record, seeded

from db.errors import LedgerError
from db.ledger import Ledger
from db.records import Edge, Integration, Leave, NewEntry, NewLook, NewPromotion


def look(k: int, **changes) -> NewLook:
    values = {"alpha": 0.03, "p_value": 0.01, "effect": 0.02, "passed": True, "detail": {"n": 320}}
    return NewLook(k, key(0), key(0, "seed"), block=3, **(values | changes))


def test_a_batch_is_integrated_once(ledger):
    put(ledger, *range(4))
    first = batch_of(0, 4, enter=(key(0),), events=(("note", {"text": "x"}),))
    assert ledger.integrate(RUN, 0, first)
    before = (ledger.entries(RUN), ledger.run(RUN), ledger.digest(RUN))
    assert not ledger.integrate(RUN, 0, first)
    assert not ledger.integrate(RUN, 0, Integration(entries=(own(9),)))
    assert (ledger.entries(RUN), ledger.run(RUN), ledger.digest(RUN)) == before
    assert ledger.count_events(RUN, "note") == 1
    assert ledger.run(RUN).batches_done == 0
    with pytest.raises(ValueError, match="cannot follow"):
        ledger.integrate(RUN, 2, Integration())
    with pytest.raises(LedgerError, match="no run"):
        ledger.integrate("r-none", 0, Integration())


def test_seeds_are_stored_once_and_only_scored_ones_are_members(ledger):
    assert not ledger.store_seed_entries(RUN, [NewEntry(7, "seed", "create", "error")])
    ledger.create_run(run_record("r-2"))
    with pytest.raises(ValueError, match="seed"):
        ledger.store_seed_entries("r-2", [own(0)])
    put(ledger, 1)
    bad = NewEntry(0, "seed", "create", "timeout", hash_of(1))
    good = NewEntry(1, "seed", "create", "scored", hash_of(1000), score=1.0, m=3)
    assert ledger.store_seed_entries("r-2", [bad, good], key(1, "seed"))
    for g in (-2, -1, 0):
        assert [e.k for e in ledger.snapshot("r-2", g)] == [1]
        champion = ledger.champion("r-2", g)
        assert champion is not None and champion.k == 1
    assert [e.batch for e in ledger.entries("r-2", batch=-1)] == [-1, -1]


def test_a_snapshot_is_what_was_a_member_then(ledger):
    put(ledger, *range(8))
    ledger.integrate(RUN, 0, batch_of(0, 4, enter=(key(1), key(0)), leave=(Leave(key(1, "seed")),)))
    later = batch_of(4, 4, enter=(key(5), key(2)), leave=(Leave(key(1), "quarantined"), Leave(key(5))))
    ledger.integrate(RUN, 1, later)
    names = {g: [(e.k, e.kind) for e in ledger.snapshot(RUN, g)] for g in range(-2, 4)}
    assert names[-2] == names[-1] == [(0, "seed"), (1, "seed")]
    assert names[0] == [(0, "own"), (0, "seed"), (1, "own")]
    assert names[1] == names[3] == [(0, "own"), (0, "seed"), (2, "own")]
    gone = ledger.entry(RUN, 1, "own")
    assert gone is not None and (gone.marks, gone.archived_to) == ({"quarantined"}, 1)


@pytest.mark.parametrize(
    ("wrong", "word"),
    [
        ({"enter": (key(77),)}, "no entry"),
        ({"enter": (key(0, "seed"),)}, "once"),
        ({"enter": (key(0), key(0))}, "twice"),
        ({"leave": (Leave(key(0)),)}, "members"),
        ({"leave": (Leave(key(0, "seed")), Leave(key(0, "seed")))}, "members"),
        ({"parents": (Edge(key(0), key(77)),)}, "no entry"),
        ({"parents": (Edge(key(0, "seed"), key(0)),)}, "no entry of this batch"),
        ({"parents": (Edge(key(0), key(1)), Edge(key(1), key(0)))}, "circle"),
        ({"promotions": (NewPromotion(key(0), 5),)}, "look 5"),
        ({"entries": (own(0), own(0))}, "same key"),
        ({"entries": (), "parents": (Edge(key(0), key(1)),)}, "edges"),
        ({"looks": (look(1, p_value=0.5, detail={"x": float("nan")}),)}, "JSON"),
    ],
)
def test_a_wrong_batch_leaves_no_trace(ledger, wrong, word):
    put(ledger, *range(4))
    before = (ledger.entries(RUN), ledger.run(RUN), ledger.digest(RUN))
    with pytest.raises(ValueError, match=word):
        ledger.integrate(RUN, 0, replace(batch_of(0, 4), **wrong))
    assert (ledger.entries(RUN), ledger.run(RUN), ledger.digest(RUN)) == before
    assert ledger.looks(RUN) == ()
    assert ledger.integrate(RUN, 0, batch_of(0, 4))


def test_depth_follows_the_deepest_parent_within_the_batch_too(ledger):
    put(ledger, *range(4))
    tuned = NewEntry(1, "tuned", "tune", "scored", hash_of(3), score=0.5, m=3, tuning_gain=0.5)
    edges = (
        Edge(tuned.key, key(1)),
        Edge(key(1), key(0)),
        Edge(key(1), key(0, "seed"), 1),
        Edge(key(0), key(0, "seed")),
    )
    ledger.integrate(RUN, 0, Integration((tuned, own(1), own(0), own(2)), edges))
    assert {(e.k, e.kind): e.depth for e in ledger.entries(RUN, 0)} == {
        (0, "own"): 1, (1, "own"): 2, (1, "tuned"): 3, (2, "own"): 0
    }  # fmt: skip
    got = ledger.entry(RUN, 1, "tuned")
    assert got is not None and got.tuning_gain == 0.5


def test_duplicates_point_to_the_owner_in_the_same_batch_or_before(ledger):
    put(ledger, 0)
    entries = (
        own(1, number=0, duplicate_of=key(0)),
        own(0),
        own(2, number=1000, duplicate_of=key(0, "seed")),
    )
    ledger.integrate(RUN, 0, Integration(entries))
    ids = {e.key: e for e in ledger.entries(RUN)}
    assert ids[key(1)].duplicate_of == ids[key(0)].id
    assert ids[key(2)].duplicate_of == ids[key(0, "seed")].id
    assert ids[key(0)].duplicate_of is None


def test_looks_and_promotions_make_the_champion(ledger):
    put(ledger, *range(8))
    ledger.integrate(RUN, 0, batch_of(0, 4, looks=(look(1, passed=False),)))
    passed = batch_of(4, 4, looks=(look(2),), promotions=(NewPromotion(key(0), 2, 0.7),))
    ledger.integrate(RUN, 1, passed)
    looks = ledger.looks(RUN)
    assert [(entry.k, entry.passed, entry.batch, entry.detail) for entry in looks] == [
        (1, False, 0, {"n": 320}), (2, True, 1, {"n": 320})
    ]  # fmt: skip
    best = ledger.entry(RUN, 0, "own")
    assert best is not None and looks[1].entry == best.id
    assert [(p.batch, p.look, p.gate_score) for p in ledger.promotions(RUN)] == [
        (-1, None, None),
        (1, looks[1].id, 0.7),
    ]
    assert ledger.champion(RUN) == ledger.champion(RUN, 1) == best
    seed = ledger.champion(RUN, 0)
    assert seed is not None and seed.kind == "seed"
    assert ledger.champion("r-none") is None


def test_a_reply_that_is_no_candidate_is_an_entry_too(ledger):
    ledger.integrate(RUN, 0, Integration((NewEntry(0, "own", "improve", "refused", reason="no code\x00"),)))
    entry = ledger.entry(RUN, 0, "own")
    assert entry is not None and (entry.candidate, entry.reason, entry.score) == (None, "no code\\x00", None)


def test_several_hundred_rows_go_in_together(ledger):
    put(ledger, *range(700))
    assert ledger.integrate(RUN, 0, batch_of(0, 700, enter=tuple(key(k) for k in range(700))))
    assert len(ledger.snapshot(RUN, 0)) == 702


MARKS = st.frozensets(st.sampled_from(["novel", "migrated", "slow"]), max_size=2)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32), marks=st.lists(MARKS, min_size=6, max_size=6))
def test_the_digest_ignores_order_times_and_ids(tmp_path_factory, seed, marks):
    entries = [own(k, marks=m) for k, m in enumerate(marks)]
    edges = [Edge(key(k), key(k // 2 - 1) if k > 1 else key(0, "seed"), 0) for k in range(6)]
    edges += [Edge(key(5), key(1, "seed"), 1)]
    digests = set()
    shuffle = random.Random(seed).shuffle
    for turn in range(2):
        folder = tmp_path_factory.mktemp("digest")
        with Ledger.open(folder / f"{turn}.sqlite", clock=lambda t=turn: float(t)) as ledger:
            if turn:
                seeded(ledger, "r-before")
                shuffle(entries)
                shuffle(edges)
            seeded(ledger)
            put(ledger, *range(6))
            ledger.integrate(RUN, 0, Integration(tuple(entries), tuple(edges)))
            digests.add(ledger.digest(RUN))
    assert len(digests) == 1


CHANGES = {
    "score": {"score": 0.30000000000000004},
    "mark": {"marks": frozenset({"novel"})},
    "outcome": {"outcome": "stopped", "score": None},
    "candidate": {"candidate": hash_of(3)},
}


@pytest.mark.parametrize("change", [*CHANGES, "parents", "positions", "leave"])
def test_the_digest_sees_what_decides(tmp_path, change):
    def digest(name: str, changed: bool) -> str:
        with Ledger.open(tmp_path / name) as ledger:
            seeded(ledger)
            put(ledger, *range(4))
            swap = changed and change == "positions"
            edges = [Edge(key(0), key(0, "seed"), int(swap)), Edge(key(0), key(1, "seed"), int(not swap))]
            if changed and change == "parents":
                edges.pop()
            more = CHANGES.get(change, {}) if changed else {}
            leave = (Leave(key(0, "seed")),) if changed and change == "leave" else ()
            entry = own(0, **({"score": 0.3} | more))
            ledger.integrate(RUN, 0, Integration((entry,), tuple(edges), leave=leave))
            return ledger.digest(RUN)

    assert digest("a", False) == digest("b", False) != digest("c", True)


def test_marks_from_a_clock_are_kept_but_not_in_the_digest(tmp_path):
    digests = []
    for name, marks in (("a", set()), ("b", {"slow", "marginal"})):
        with Ledger.open(tmp_path / name) as ledger:
            seeded(ledger)
            put(ledger, 0)
            ledger.integrate(RUN, 0, Integration((own(0, marks=frozenset(marks)),)))
            entry = ledger.entry(RUN, 0, "own")
            assert entry is not None and entry.marks == marks
            digests.append(ledger.digest(RUN))
    assert digests[0] == digests[1]
