"""What goes in comes out, once."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ledger_samples import RUN, batch_of, evaluation, hash_of, key, own, put, run_record, seeded

from db.errors import LedgerError
from db.evaluations import check, extend
from db.ledger import Ledger
from db.packing import clean, pack, squeeze, stretch, unpack
from db.records import CandidateText, EvaluationRecord, Integration, NewEntry, TrialRecord

ASK = {
    "batch": 0,
    "operator": "improve",
    "proposer": "chat",
    "seed": 2**64 - 5,
    "messages_json": '[{"a":"é\\n"}]',
}


def test_a_run_comes_back_as_it_was(path):
    times = iter((5.0, 6.0))
    with Ledger.open(path, clock=lambda: next(times)) as ledger:
        made = ledger.create_run(run_record())
        assert made == run_record(created=5.0, updated=5.0)
        ledger.set_status(RUN, "interrupted", "Ctrl-C")
        got = ledger.run(RUN)
        assert (got.status, got.reason, got.created, got.updated) == ("interrupted", "Ctrl-C", 5.0, 6.0)
        assert got.seed == 2**64 - 1 and got.batches_done == -1


def test_a_run_is_found_by_a_unique_prefix(ledger):
    ledger.create_run(run_record("r-7f9", control_of=RUN))
    assert ledger.run("r-7f3").id == RUN
    assert [r.id for r in ledger.runs()] == [RUN, "r-7f9"]
    for prefix, word in (
        ("r-7f", "several"),
        ("x", "no run"),
        ("", "no run"),
        ("r_7", "no run"),
        ("%", "no run"),
    ):
        with pytest.raises(LedgerError, match=word):
            ledger.run(prefix)
    with pytest.raises(LedgerError, match="already"):
        ledger.create_run(run_record())
    with pytest.raises(LedgerError, match="no run"):
        ledger.set_status("r-none", "done")
    with pytest.raises(ValueError):
        ledger.set_status(RUN, "finished")  # type: ignore[arg-type]


def test_a_run_whose_id_is_the_beginning_of_another(ledger):
    ledger.create_run(run_record("r-7"))
    assert ledger.run("r-7").id == "r-7"


def test_events_are_added_and_counted(ledger):
    ledger.add_event(RUN, "report_opened", {"count": 1})
    ledger.add_event(RUN, "report_opened", {"count": 2})
    ledger.add_event(None, "upgraded")
    ledger.add_event(RUN, "other")
    assert ledger.count_events(RUN, "report_opened") == 2
    assert [e.data for e in ledger.events(RUN, "report_opened")] == [{"count": 1}, {"count": 2}]
    assert [e.kind for e in ledger.events(RUN)] == ["report_opened", "report_opened", "other"]
    assert [e.kind for e in ledger.events(None)] == ["upgraded"]


def test_an_open_intent_is_counted_and_a_reply_stands(ledger):
    assert ledger.proposal(RUN, 3, 0) is None
    first = ledger.intent(RUN, 3, 0, **ASK)
    assert (first.state, first.asked, first.seed, first.prompt) == (
        "intent",
        1,
        2**64 - 5,
        ASK["messages_json"],
    )
    assert ledger.intent(RUN, 3, 0, **ASK).asked == 2
    got = ledger.reply(
        RUN, 3, 0, state="replied", text="x\ud800y\x00", model="m", prompt_tokens=7, seconds=1.5
    )
    assert (got.reply, got.prompt_tokens, got.completion_tokens, got.asked) == ("x\ud800y\x00", 7, None, 2)
    assert ledger.reply(RUN, 3, 0, state="failed", reason="late") == got
    assert ledger.intent(RUN, 3, 0, **ASK) == got
    assert ledger.record_reply(RUN, 3, 0, **ASK, state="replied", text="other") == got
    assert ledger.proposal(RUN, 3, 0) == got


def test_a_reply_needs_an_intent(ledger):
    with pytest.raises(ValueError, match="no intent"):
        ledger.reply(RUN, 3, 0, state="replied")
    ledger.intent(RUN, 3, 0, **ASK)
    with pytest.raises(ValueError, match="state"):
        ledger.reply(RUN, 3, 0, state="intent")


def test_intent_and_reply_at_once(ledger):
    got = ledger.record_reply(RUN, 1, 1, **ASK, state="refused", reason="why\x00\ud800")
    assert (got.k, got.r, got.state, got.reason, got.asked) == (1, 1, "refused", "why\\x00\\ud800", 1)
    ledger.intent(RUN, 0, 0, **(ASK | {"batch": 4}))
    open_intent = ledger.record_reply(RUN, 0, 0, **(ASK | {"batch": 4}), state="replied", text="t")
    assert (open_intent.state, open_intent.reply) == ("replied", "t")
    assert [(p.k, p.r) for p in ledger.proposals(RUN)] == [(0, 0), (1, 1)]
    assert [p.k for p in ledger.proposals(RUN, batch=4)] == [0]


def test_spent_counts_slots_and_keeps_unknown_apart(ledger):
    assert ledger.spent(RUN).samples == 0
    full = {"state": "replied", "prompt_tokens": 10, "completion_tokens": 5, "cost": 0.25, "seconds": 2.0}
    ledger.record_reply(RUN, 0, 0, **ASK, **full)
    ledger.record_reply(RUN, 0, 1, **ASK, **full)
    ledger.record_reply(RUN, 1, 0, **ASK, state="replied", prompt_tokens=3)
    ledger.intent(RUN, 2, 0, **ASK)
    ledger.intent(RUN, 2, 0, **ASK)
    s = ledger.spent(RUN)
    assert (s.samples, s.requests, s.repeated, s.uncounted, s.unpriced) == (3, 4, 1, 1, 1)
    assert (s.prompt_tokens, s.completion_tokens, s.tokens, s.cost, s.seconds) == (23, 10, 33, 0.5, 4.0)
    assert type(s.prompt_tokens) is int and type(s.cost) is float


def test_the_first_text_of_a_candidate_wins(ledger):
    assert ledger.put_candidate("ab" * 32, "x = 1  # é\ud800", 3)
    assert not ledger.put_candidate("ab" * 32, "x=1", 3)
    assert ledger.candidate_code("ab" * 32) == "x = 1  # é\ud800"
    with pytest.raises(LedgerError, match="no candidate"):
        ledger.candidate_code("00" * 32)


def test_many_are_read_at_once(ledger):
    put(ledger, 1, 2, 3)
    for number in (1, 2):
        ledger.store_evaluation(evaluation((1.0, float(number)), number))
    texts = ledger.candidates([hash_of(n) for n in (2, 3, 4)])
    assert {h: t.nodes for h, t in texts.items()} == {hash_of(2): 5, hash_of(3): 5}
    assert texts[hash_of(3)].code == ledger.candidate_code(hash_of(3))
    found = ledger.evaluations_on("d" * 64, [hash_of(n) for n in (1, 2, 3)], "1", True)
    assert {h: r.scores for h, r in found.items()} == {hash_of(1): (1.0, 1.0), hash_of(2): (1.0, 2.0)}
    assert ledger.evaluations_on("d" * 64, [hash_of(1)], "2", True) == {}


def test_entries_behind_a_batch(ledger):
    put(ledger, *range(8))
    ledger.integrate(RUN, 0, batch_of(0))
    ledger.integrate(RUN, 1, batch_of(4))
    assert [e.k for e in ledger.entries(RUN, after=0)] == [4, 5, 6, 7]
    assert len(ledger.entries(RUN, after=-1)) == 8 and len(ledger.entries(RUN)) == 10


def test_a_candidate_is_stored_with_its_first_evaluation(ledger):
    text = CandidateText(hash_of(5), "x = 5", 3)
    first = evaluation((1.0,), 5)
    assert ledger.store_evaluation(first, text) == first
    assert ledger.candidate_code(hash_of(5)) == "x = 5"
    grown = evaluation((1.0, 2.0), 5)
    other = CandidateText(hash_of(5), "x=5", 3)
    assert ledger.store_evaluation(grown, other).scores == (1.0, 2.0), "extended, not inserted again"
    assert ledger.candidate_code(hash_of(5)) == "x = 5", "the first text stands"
    assert ledger.evaluations(hash_of(5), ("d" * 64, "e" * 64), "1", True) == {"d" * 64: grown}
    assert ledger.evaluations(hash_of(5), ("d" * 64,), "1", False) == {}


def test_a_study_is_started_once_and_linked_to_its_entry(ledger):
    study = ledger.start_study(RUN, 5, seed=2**63, n_trials=20)
    assert ledger.start_study(RUN, 5, seed=2**63, n_trials=20) == study
    assert (study.seed, study.entry, study.state) == (2**63, None, "running")
    with pytest.raises(ValueError, match="seed"):
        ledger.start_study(RUN, 5, seed=1, n_trials=20)
    late = TrialRecord(1, {"k": 2.5, "rule": "a"}, "pruned", (1.0, math.pi), None)
    first = TrialRecord(0, {"k": 1.0, "rule": "a"}, "complete", (1.0, 2.0, 3.0), 2.0)
    assert ledger.add_trial(study.id, late) and ledger.add_trial(study.id, first)
    assert not ledger.add_trial(study.id, TrialRecord(1, {}, "failed", (), None))
    assert ledger.trials(study.id) == (first, late)
    ledger.finish_study(study.id)
    put(ledger, 5)
    ledger.integrate(RUN, 0, Integration(entries=(own(5),)))
    linked = ledger.study(RUN, 5)
    assert linked is not None and linked.state == "done"
    entry = ledger.entry(RUN, 5, "own")
    assert entry is not None and linked.entry == entry.id
    assert ledger.studies(RUN) == (linked,)


def test_exports_belong_to_a_run(ledger):
    entry = ledger.entry(RUN, 0, "seed")
    assert entry is not None
    ledger.add_export(RUN, entry.id, "/tmp/p")
    assert [(e.entry, e.path) for e in ledger.exports(RUN)] == [(entry.id, "/tmp/p")]
    ledger.create_run(run_record("r-2"))
    with pytest.raises(LedgerError, match="no entry"):
        ledger.add_export("r-2", entry.id, "/tmp/p")


def test_an_evaluation_grows_and_keeps_its_first_times(ledger):
    assert ledger.evaluation(hash_of(1000), "d" * 64, "1", True) is None
    first = ledger.store_evaluation(evaluation((1.0, 2.0)))
    assert ledger.evaluation(hash_of(1000), "d" * 64, "1", True) == first
    assert ledger.evaluation(hash_of(1000), "d" * 64, "1", False) is None
    assert ledger.evaluation(hash_of(1000), "d" * 64, "2", True) is None
    whole = evaluation((1.0, 2.0, 3.0, 4.0), cpu=(5.0,) * 4, output=b"z" * 5000)
    grown = ledger.store_evaluation(whole)
    assert grown.cpu == (0.001, 0.001, 5.0, 5.0) and grown.outcome == "scored"
    assert grown.output == b"z" * 4096
    assert grown.answers_digest == "answers of 4"
    kept = ledger.store_evaluation(evaluation((1.0, 2.0, 3.0, 4.0), answers=b"\x00\x01" * 100))
    assert kept.answers == b"\x00\x01" * 100
    again = ledger.store_evaluation(evaluation((1.0, 2.0, 3.0, 4.0)))
    assert again == kept == ledger.evaluation(hash_of(1000), "d" * 64, "1", True)


def test_an_invalid_outcome_is_final(ledger):
    bad = evaluation((1.0,), outcome="timeout", reason="2 s")
    ledger.store_evaluation(bad)
    ledger.store_evaluation(bad)
    for other in (evaluation((1.0, 2.0)), evaluation((1.0,)), evaluation((1.0, 2.0), outcome="timeout")):
        with pytest.raises(ValueError, match="final"):
            ledger.store_evaluation(other)
    assert ledger.evaluation(hash_of(1000), "d" * 64, "1", True) == bad


def test_a_complete_evaluation_can_only_be_quarantined(ledger):
    scores = (1.0, 2.0, 3.0, 4.0)
    ledger.store_evaluation(evaluation(scores))
    with pytest.raises(ValueError, match="complete"):
        ledger.store_evaluation(evaluation(scores, outcome="error"))
    ledger.store_evaluation(evaluation(scores, outcome="quarantined", reason="differs"))
    with pytest.raises(ValueError, match="final"):
        ledger.store_evaluation(evaluation(scores))


@pytest.mark.parametrize(
    "bad",
    [
        {"scores": (1.0, math.nan)},
        {"values": (1.0,)},
        {"cpu": ()},
        {"outcome": "good"},
        {"outcome": "scored"},
        {"set_size": 1},
    ],
)
def test_a_malformed_evaluation_is_refused(ledger, bad):
    changes = {"scores": (1.0, 2.0), "values": (1.0, 2.0), "cpu": (1.0, 2.0)} | bad
    scores = changes.pop("scores")
    with pytest.raises(ValueError):
        ledger.store_evaluation(evaluation(scores, **changes))


SCORES = st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=4).map(tuple)


@settings(max_examples=300, deadline=None)
@given(old=SCORES, new=SCORES)
def test_only_longer_prefixes_are_stored(old: tuple[float, ...], new: tuple[float, ...]):
    """-0.0 and 0.0 are different scores here: the bits count."""
    before: EvaluationRecord = evaluation(old)
    after: EvaluationRecord = evaluation(new)
    check(before)
    check(after)
    if pack(new)[: 8 * len(old)] == pack(old) and len(new) >= len(old):
        merged = extend(before, after)
        assert pack(merged.scores) == pack(new) and merged.m >= before.m
        assert extend(merged, after) == merged
    else:
        with pytest.raises(ValueError, match=r"shorten|contradicts"):
            extend(before, after)


@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.tuples(st.integers(0, 4), st.booleans()), min_size=1, max_size=8))
def test_any_sequence_of_stores_leaves_the_longest_prefix(tmp_path_factory, steps):
    true, other = (1.5, -2.0, 0.1, 7.0), (1.5, -2.0, 0.2, 7.0)
    stored: tuple[float, ...] = ()
    with Ledger.open(tmp_path_factory.mktemp("l") / "l.sqlite") as ledger:
        put(ledger, 1000)
        for m, wrong in steps:
            scores = (other if wrong else true)[:m]
            try:
                ledger.store_evaluation(evaluation(scores))
            except ValueError:
                assert scores[: len(stored)] != stored
            else:
                assert scores[: len(stored)] == stored
                stored = scores
            got = ledger.evaluation(hash_of(1000), "d" * 64, "1", True)
            assert (got.scores if got else ()) == stored


@given(st.text())
def test_text_survives_compression(text):
    assert stretch(squeeze(text)) == text
    clean(text).encode("utf-8")


@given(st.lists(st.floats()))
def test_floats_survive_packing(numbers):
    assert pack(unpack(pack(numbers))) == pack(numbers)


def test_clean_keeps_honest_text():
    assert clean("tardiness ≤ 3\n") == "tardiness ≤ 3\n"


def test_two_runs_share_candidates_and_nothing_else(ledger):
    seeded(ledger, "r-other")
    ledger.integrate("r-other", 0, batch_of_with(ledger, 4))
    assert len(ledger.entries(RUN)) == 2 and len(ledger.entries("r-other")) == 6
    assert ledger.run(RUN).batches_done == -1


def batch_of_with(ledger: Ledger, count: int) -> Integration:
    put(ledger, *range(count))
    return batch_of(0, count)


def test_an_entry_is_found_by_the_beginning_of_its_hash(ledger):
    put(ledger, 0, 1)
    ledger.integrate(RUN, 0, Integration((own(0, number=1), own(1, number=1, duplicate_of=key(0)))))
    found = ledger.entry_by_hash(RUN, hash_of(1))
    assert found.k == 0 and ledger.entry_by_hash(None, hash_of(1)).id == found.id
    assert ledger.owner(RUN, hash_of(1)) == found and ledger.owner(RUN, hash_of(0)) is None
    for prefix, word in (
        ("000", "several"),
        ("ff", "no candidate"),
        ("", "hexadecimal"),
        ("x%", "hexadecimal"),
    ):
        with pytest.raises(LedgerError, match=word):
            ledger.entry_by_hash(RUN, prefix)


@pytest.mark.parametrize(
    "bad",
    [
        {"score": None},
        {"score": math.inf},
        {"outcome": "refused"},
        {"outcome": "fine"},
        {"kind": "other"},
    ],
)
def test_an_entry_that_contradicts_itself_is_refused(ledger, bad):
    put(ledger, 0)
    values = {"k": 0, "kind": "own", "operator": "improve", "outcome": "scored", "score": 1.0, "m": 3}
    with pytest.raises(ValueError):
        ledger.integrate(RUN, 0, Integration((NewEntry(**(values | {"candidate": hash_of(0)} | bad)),)))
    assert ledger.run(RUN).batches_done == -1 and len(ledger.entries(RUN)) == 2
