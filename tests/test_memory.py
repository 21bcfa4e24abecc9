"""What a run remembers: as of a batch, bounded, and nothing of a lost or shared evaluation."""

from __future__ import annotations

from db.records import EntryKey, EntryOutcome, NewEntry
from discovery.population.memory import BROKEN_KEPT, NOTES_SHOWN, REJECTED_SHOWN, Memory, repaired

SEED = (EntryKey(-1, "seed"), "seed-hash")


def entry(k: int, outcome: EntryOutcome, candidate: str | None = None, **more: object) -> NewEntry:
    score = 1.0 if outcome == "scored" else None
    return NewEntry(k, "own", "improve", outcome, candidate, reason=f"reason {k}", score=score, **more)  # type: ignore[arg-type]


def test_code_is_known_from_the_batch_that_brought_it() -> None:
    memory = Memory([SEED, (EntryKey(-2, "seed"), "seed-hash")])
    memory.remember(0, [entry(0, "scored", "a")])
    memory.remember(1, [entry(8, "scored", "b"), entry(9, "scored", "a", duplicate_of=EntryKey(0, "own"))])
    assert "a" in memory.known(0) and "b" not in memory.known(0)
    assert "b" in memory.known(1) and "seed-hash" in memory.known(-2) and "c" not in memory.known(1)
    assert memory.owner("a") == (0, EntryKey(0, "own")), "a later copy does not take the evaluation over"
    assert memory.owner("seed-hash") == (-2, SEED[0]), "of equal seeds the first owns"


def test_failures_are_told_and_only_what_ran_can_be_repaired() -> None:
    memory = Memory([SEED])
    outcomes: list[EntryOutcome] = ["refused", "error", "lost", "stopped", "quarantined", "timeout", "noted"]
    memory.remember(0, [entry(k, outcome, f"h{k}") for k, outcome in enumerate(outcomes)])
    assert [line.split(": ")[1] for line in memory.rejected(0)] == [
        "refused",
        "error",
        "quarantined",
        "timeout",
    ]
    assert [(b.hash, b.outcome) for b in memory.broken(0)] == [("h1", "error"), ("h5", "timeout")]
    assert not memory.rejected(-1) and not memory.broken(-1)


def test_memory_is_bounded_and_looks_one_batch_back() -> None:
    memory = Memory([SEED])
    for g in range(50):
        memory.remember(g, [entry(8 * g + j, "error", f"h{8 * g + j}") for j in range(8)])
        if g:
            assert memory.rejected(g - 1)[-1].endswith(f"reason {8 * g - 1}")
            assert memory.broken(g - 1)[-1].hash == f"h{8 * g - 1}"
    assert len(memory.rejected(48)) == REJECTED_SHOWN and len(memory.broken(48)) == BROKEN_KEPT
    assert len(memory._failures) <= REJECTED_SHOWN + 16 and len(memory._broken) <= BROKEN_KEPT + 16


def test_what_a_slot_tried_to_repair_is_offered_no_more() -> None:
    memory = Memory([SEED])
    memory.remember(0, [entry(0, "error", "a"), entry(1, "error", "b")])
    memory.remember(1, [entry(8, "error", "c")], repaired=[EntryKey(0, "own")])
    assert [b.hash for b in memory.broken(0)] == ["a", "b"], "batch 2 is proposed from what was known then"
    assert [b.hash for b in memory.broken(1)] == ["b", "c"]
    for g in range(2, 6):
        memory.remember(g, [], repaired=[EntryKey(0, "own"), EntryKey(1, "own")])
        assert [b.hash for b in memory.broken(g)] == ["c"]
    assert not memory._tried and len(memory._broken) == 1, "forgotten once no view can need it"


def test_a_repair_without_a_reply_has_not_tried() -> None:
    keys = {EntryKey(k, "own"): EntryKey(k - 8, "own") for k in (8, 9, 10)}
    tried = [
        NewEntry(8, "own", "repair", "lost"),
        NewEntry(9, "own", "repair", "refused"),
        entry(10, "error", "x"),
    ]
    assert repaired(tried, keys) == (EntryKey(1, "own"),)


def test_the_latest_notes_are_offered() -> None:
    memory = Memory([SEED])
    for g in range(5):
        memory.remember(g, [entry(g, "noted")])
    assert memory.notes(4) == ("reason 2", "reason 3", "reason 4") and len(memory.notes(4)) == NOTES_SHOWN
    assert memory.notes(3) == ("reason 1", "reason 2", "reason 3"), "a view looks one batch back"
    assert not memory.rejected(4), "a note is no failure"
