"""The same work on SQLite and PostgreSQL gives the same answers, on a real server of the tests' own."""

from __future__ import annotations

import pytest
from ledger_samples import RUN, batch_of, evaluation, hash_of, key, own, put, seeded

from db import lineage
from db.errors import LedgerBehind
from db.ledger import Ledger
from db.records import CandidateText, Edge, Integration, Leave, NewEntry, NewLook, NewPromotion, TrialRecord
from db.upgrade import upgrade

ASK = {"batch": 0, "operator": "improve", "proposer": "chat", "seed": 2**64 - 5, "messages_json": "[]"}


def work(ledger: Ledger) -> tuple[object, ...]:
    """A bit of everything; returns what can be compared."""
    seeded(ledger)
    put(ledger, *range(6))
    assert not ledger.put_candidate(hash_of(1), "other", 1)
    first = batch_of(
        0,
        4,
        enter=(key(0), key(1)),
        leave=(Leave(key(1, "seed")),),
        looks=(NewLook(1, key(0), key(0, "seed"), 0, 0.03, 0.01, 0.1, True),),
        promotions=(NewPromotion(key(0), 1, 0.5),),
        events=(("note", {"a": 1}),),
    )
    assert ledger.integrate(RUN, 0, first) and not ledger.integrate(RUN, 0, first)
    entries = (
        own(4),
        own(5, 4, duplicate_of=key(4)),
        NewEntry(6, "own", "create", "refused", reason="a\x00"),
    )
    edges = (Edge(key(4), key(0)), Edge(key(4), key(1), 1), Edge(key(5), key(4)))
    study = ledger.start_study(RUN, 4, seed=2**64 - 1, n_trials=3)
    assert ledger.add_trial(study.id, TrialRecord(0, {"a": 1}, "complete", (1.0,), 1.0))
    assert not ledger.add_trial(study.id, TrialRecord(0, {}, "failed", (), None))
    ledger.integrate(RUN, 1, Integration(entries, edges, leave=(Leave(key(0)),)))
    ledger.intent(RUN, 0, 0, **ASK)
    assert ledger.intent(RUN, 0, 0, **ASK).asked == 2
    ledger.reply(RUN, 0, 0, state="replied", text="x\x00\ud800", prompt_tokens=2**40, cost=0.5)
    ledger.record_reply(RUN, 1, 0, **ASK, state="replied", text="t", prompt_tokens=2, completion_tokens=3)
    ledger.store_evaluation(evaluation((1.0, 2.0)))
    ledger.store_evaluation(evaluation((1.0, 2.0, 3.0, 4.0), answers=b"x"))
    with pytest.raises(ValueError):
        ledger.store_evaluation(evaluation((1.0,)))
    last, seed = ledger.entry(RUN, 5, "own"), ledger.entry(RUN, 0, "seed")
    tuned, champion = ledger.study(RUN, 4), ledger.champion(RUN)
    assert last is not None and seed is not None and tuned is not None and champion is not None
    ledger.add_export(RUN, last.id, "/p")
    by_id = {e.id: e.key for e in ledger.entries(RUN)}
    assert tuned.entry is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lineage, "FEW", 0)
        scanned = {by_id[i] for i in lineage.ancestors(ledger, RUN, last.id)}
    return (
        ledger.digest(RUN),
        ledger.spent(RUN),
        [[e.key for e in ledger.snapshot(RUN, g)] for g in (-2, 0, 1)],
        champion.key,
        by_id[tuned.entry],
        {by_id[i] for i in lineage.ancestors(ledger, RUN, last.id)},
        scanned,
        {by_id[i] for i in lineage.descendants(ledger, RUN, seed.id)},
        [by_id[i] for i in lineage.path_to_root(ledger, RUN, last.id)],
        lineage.generation_counts(ledger, RUN),
        ledger.evaluation(hash_of(1000), "d" * 64, "1", True),
        ledger.evaluations(hash_of(1000), ("d" * 64, "e" * 64), "1", True),
        ledger.store_evaluation(evaluation((1.0,), 2000), CandidateText(hash_of(2000), "x = 1", 2)),
        ledger.store_evaluation(evaluation((1.0, 2.0), 2000), CandidateText(hash_of(2000), "x = 1", 2)),
        ledger.entry_by_hash(None, hash_of(4)).key,
        ledger.trials(study.id),
        ledger.count_events(RUN, "note"),
        len(ledger.exports(RUN)),
        ledger.run("r-7").batches_done,
    )


def test_both_databases_give_the_same(postgresql):
    empty = postgresql.database()
    with pytest.raises(LedgerBehind, match="db upgrade"):
        Ledger.open(empty)
    assert upgrade(empty)[0] is None
    with Ledger.open(empty) as there, Ledger.open("sqlite://") as here:
        assert work(there) == work(here)
