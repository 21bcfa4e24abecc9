"""Candidates from outside the slots: to finished runs, to runs that are under way, and in replays of both."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from toy.loop import Scripted, Toy, by_slot, density, rule
from toy.task import SIZES, Knapsack

from db.records import SUBMITTED_FROM
from discovery import people, review
from discovery import run as engine
from discovery.candidate import check
from discovery.cli.main import main
from discovery.config import RunSettings
from discovery.errors import UsageError
from discovery.progress import StopSignal

SMALL: dict[str, Any] = {"samples": 4, "batch": 2, "tune": False}
GOOD = by_slot([density(-0.1 - k / 50) for k in range(8)])
"""Worse than the seeds, so that the champion is theirs until somebody hands one in."""
BEST = density(0.5)


class After(StopSignal):
    """Asks to stop once it has been looked at ``looks`` times."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.left = looks

    @property
    def finishing(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.fixture
def db(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> str:
    """Candidates outside a run use the warm executor too."""
    kept = engine.make_executor
    monkeypatch.setattr(
        people, "make_executor", lambda task, _name, n, **more: kept(task, "inline", n, **more)
    )
    toy.propose(Scripted(GOOD))
    return str(toy.folder / "ledger.sqlite")


def replayed(toy: Toy, run: str) -> str:
    """The digest of a replay. It needs the replay's own proposer."""
    with pytest.MonkeyPatch.context() as patch:
        from discovery.proposers.make import make_proposer

        patch.setattr(engine, "make_proposer", make_proposer)
        again = engine.start(RunSettings("knapsack", toy.settings(proposer="replay"), replay=run))
    return toy.digest(again.run)


def test_a_finished_run_takes_a_candidate_in_and_is_finished_again(toy: Toy, db: str) -> None:
    done = toy.start(**SMALL)
    before = toy.digest(done.run)
    with toy.ledger() as ledger:
        parent = ledger.entries(done.run)[0].candidate or ""
    told = people.submit(db, done.run, BEST, parent=parent[:8])
    data = told.to_json()
    assert (data["outcome"], data["run_status"], data["known"]) == ("scored", "done", None)
    assert data["candidate"] == check(BEST, Knapsack.interface).hash
    with toy.ledger() as ledger:
        entry = ledger.entry(done.run, 0, "submitted")
        assert entry is not None and (entry.batch, entry.operator) == (2, "improve")
        assert entry.archived_from == 2 and entry.score == told.score.score
        assert len(ledger.parents(done.run)[entry.id]) == 1
        assert ledger.spent(done.run).samples == 4, "no sample is used"
        assert ledger.proposals(done.run)[-1].k == 3, "and no slot"
    assert toy.digest(done.run) != before
    again = toy.resume(done.run)
    assert (again.status, again.samples, again.best.candidate) == ("done", 4, data["candidate"])
    assert again.best.promoted and again.best.gate is not None, (
        "it passed a look, and is read on the report blocks"
    )
    assert replayed(toy, done.run) == toy.digest(done.run)


def test_a_control_is_left_alone_by_a_submission(toy: Toy, db: str) -> None:
    """Its only parents are the seeds: the candidate goes to the run, and both arms stay finished."""
    report = toy.start(**{**SMALL, "samples": 6}, control=0.34)
    assert report.control is not None
    told = people.submit(db, report.run, BEST)
    assert told.to_json()["outcome"] == "scored"
    with toy.ledger() as ledger:
        arms = {r.id: r.status for r in ledger.runs()}
        submitted = [e.run for r in ledger.runs() for e in ledger.entries(r.id) if e.kind == "submitted"]
    assert arms == {report.run: "done", report.control.run: "done"} and submitted == [report.run]


def test_known_code_is_not_refused_and_takes_the_stored_scores(toy: Toy, db: str) -> None:
    done = toy.start(**SMALL)
    first = people.submit(db, done.run, density(-0.1))
    assert first.to_json()["known"] == first.candidate and first.score.score is not None
    second = people.submit(db, done.run, density(-0.1))
    assert second.score.score == first.score.score
    entries = toy.entries(done.run)
    for number in (0, 1):
        entry = entries[number, "submitted"]
        assert entry.duplicate_of == entries[0, "own"].id and entry.score == entries[0, "own"].score


def test_what_was_stopped_early_is_run_to_its_end_for_a_person(toy: Toy, db: str) -> None:
    bad = rule("return -weights")
    toy.propose(Scripted(by_slot([density(0.9), density(1.0), bad, bad])))
    done = toy.start(**SMALL)
    assert toy.entries(done.run)[2, "own"].outcome == "stopped"
    told = people.submit(db, done.run, bad)
    entry = toy.entries(done.run)[0, "submitted"]
    assert told.score.score == entry.score is not None and entry.m == SIZES["search"][1]
    assert entry.duplicate_of is None
    assert replayed(toy, done.run) == toy.digest(done.run)


def test_a_refused_candidate_is_a_row_with_its_reason(toy: Toy, db: str) -> None:
    done = toy.start(**SMALL)
    told = people.submit(db, done.run, "import os\n")
    assert (told.candidate, told.score.outcome) == (None, "rejected") and told.score.reason
    entry = toy.entries(done.run)[0, "submitted"]
    assert (entry.outcome, entry.reason, entry.candidate) == ("refused", told.score.reason, None)
    crash = people.submit(db, done.run, rule("return [1 / 0]"))
    assert crash.score.outcome == "error" == toy.entries(done.run)[1, "submitted"].outcome
    assert toy.resume(done.run).status == "done"
    assert replayed(toy, done.run) == toy.digest(done.run)


def test_an_interrupted_run_takes_it_in_with_its_next_batch(toy: Toy, db: str) -> None:
    stopped = toy.start(stop=After(5), samples=8, batch=2, tune=False)
    assert stopped.interrupted
    told = people.submit(db, stopped.run, BEST)
    assert told.score.score is not None and told.status == "interrupted"
    assert (0, "submitted") not in toy.entries(stopped.run)
    with toy.ledger() as ledger:
        batch = ledger.run(stopped.run).batches_done
    done = toy.resume(stopped.run)
    entry = toy.entries(stopped.run)[0, "submitted"]
    assert done.status == "done" and entry.batch == batch + 1 < 3
    assert done.best.candidate == told.candidate
    with toy.ledger() as ledger:
        children = [
            e for e in ledger.entries(stopped.run) if entry.id in ledger.parents(stopped.run).get(e.id, ())
        ]
        assert children, "later slots build on it"
    assert replayed(toy, stopped.run) == toy.digest(stopped.run)


def test_a_cassette_repeats_it_in_an_empty_ledger(toy: Toy, db: str) -> None:
    done = toy.start(**SMALL)
    people.submit(db, done.run, BEST)
    people.submit(db, done.run, "words")
    from discovery.proposers.cassette import read_cassette, write_cassette
    from discovery.recorded import recording

    file = toy.folder / "run.cassette"
    with toy.ledger() as ledger:
        write_cassette(file, recording(done.run, ledger, "knapsack"))
    course = read_cassette(file).course
    assert course is not None and [s.batch for s in course.submissions] == [2, 3]
    with pytest.MonkeyPatch.context() as patch:
        from discovery.proposers.make import make_proposer

        patch.setattr(engine, "make_proposer", make_proposer)
        settings = toy.settings(proposer="replay", db="other")
        again = engine.start(RunSettings("knapsack", settings, replay=str(file)))
    assert toy.digest(again.run, "other") == toy.digest(done.run) == course.digest
    header, *lines = file.read_text().splitlines()
    data = json.loads(header)
    data["submissions"][0]["batch"] = "2"
    file.write_text("\n".join([json.dumps(data), *lines]))
    with pytest.raises(UsageError, match="submissions are not what they must be"):
        read_cassette(file)


def test_a_run_that_another_thread_works_on_takes_it_in(toy: Toy, db: str) -> None:
    """The loop finds what is handed in while it runs; who hands in waits for nobody."""
    begun, go_on = threading.Event(), threading.Event()

    def script(request: Any) -> str | Exception:
        if request.slot == 2:
            begun.set()
            go_on.wait(60)
        return GOOD(request)

    toy.propose(Scripted(script))
    ends: list[Any] = []
    worker = threading.Thread(target=lambda: ends.append(toy.start(samples=6, batch=2, tune=False)))
    worker.start()
    try:
        assert begun.wait(60)
        with toy.ledger() as ledger:
            run = ledger.runs()[0].id
        told = people.submit(db, run, BEST)
        assert told.status == "running" and told.score.score is not None
    finally:
        go_on.set()
        worker.join(60)
    (report,) = ends
    assert report.status == "done" and report.best.candidate == told.candidate
    assert toy.entries(run)[0, "submitted"].batch in (0, 1)
    assert replayed(toy, run) == toy.digest(run)


def test_a_finished_run_asks_for_one_candidate_more(toy: Toy, db: str) -> None:
    done = toy.start(**SMALL)
    asked = people.ask(db, done.run)
    assert asked.id == "s0" and "def rank" in asked.prompt and "Code 1" in asked.prompt
    assert people.ask(db, done.run).id == "s0", "the same until it is answered"
    told = people.tell(db, done.run, "s0", f"Better:\n```python\n{BEST}```")
    assert told.status == "done" and told.score.score is not None
    entry = toy.entries(done.run)[0, "submitted"]
    assert entry.candidate == told.candidate and entry.depth > 0
    with pytest.raises(UsageError, match=r"request s0 of run r-.* is answered already"):
        people.tell(db, done.run, "s0", BEST)
    assert people.ask(db, done.run).id == "s1"
    assert replayed(toy, done.run) == toy.digest(done.run)
    with review.opened(db) as ledger:
        shown = review.summary(ledger, (told.candidate or "")[:10]).to_json()
        assert shown["kind"] == "submitted" and shown["attempts"][0]["prompt"]  # type: ignore[index]
        assert ledger.proposal(done.run, SUBMITTED_FROM, 0) is not None


def test_a_killed_sitting_loses_no_submission(toy: Toy, db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    done = toy.start(**SMALL)

    def crash(*_: Any, **__: Any) -> bool:
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr("db.ledger.Ledger.integrate", crash)
        with pytest.raises(OSError, match="power cut"):
            people.submit(db, done.run, BEST)
    report = toy.resume(done.run)
    assert report.status == "done" and (0, "submitted") in toy.entries(done.run)


def test_what_does_not_fit_is_one_sentence_and_records_nothing(
    toy: Toy, db: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = toy.start(**SMALL)
    before = toy.digest(done.run)
    with pytest.raises(UsageError, match="--parent 'ffff'"):
        people.submit(db, done.run, BEST, parent="ffff")
    with pytest.raises(UsageError, match="not UTF-8"):
        people.submit(db, done.run, "\udcff")
    control = toy.start(**{**SMALL, "control": 0.5})
    assert control.control is not None
    with pytest.raises(UsageError, match=f"is a control.*submit to run {control.run}"):
        people.submit(db, control.control.run, BEST)
    monkeypatch.setattr(Knapsack, "version", "2")
    with pytest.raises(UsageError, match="version 1 of the evaluator of 'knapsack', now it is 2"):
        people.submit(db, done.run, BEST)
    monkeypatch.undo()
    with toy.ledger() as ledger:
        assert ledger.digest(done.run) == before and not ledger.waiting_submissions(done.run)


def test_the_command(toy: Toy, db: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    done = toy.start(**SMALL)
    file = tmp_path / "mine.py"
    file.write_text(BEST)

    def said(*words: str) -> tuple[object, str, str]:
        with pytest.raises(SystemExit) as left:
            main(["submit", *words, "--run", done.run, "--db", db, "--quiet"])
        captured = capsys.readouterr()
        return left.value.code, captured.out, captured.err

    code, out, _ = said(str(file), "--json")
    assert code == 0 and json.loads(out)["run_status"] == "done"
    code, out, _ = said(str(file))
    assert code == 0 and "known already" in out
    file.write_text("nothing\n")
    code, _, err = said(str(file))
    assert code == 1 and "no score: rejected" in err
    code, _, err = said(str(tmp_path / "none.py"))
    assert code == 2 and "cannot be read" in err
