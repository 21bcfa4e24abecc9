"""A person or an agent in place of a model: asking, telling, and what the run makes of it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from toy.loop import TESTS, Toy, density, rule
from toy.task import SIZES

from db.errors import LedgerError, RunHeld
from db.ledger import Ledger
from discovery import people
from discovery import run as engine
from discovery.cli.main import main
from discovery.config import RunSettings
from discovery.errors import UsageError
from discovery.people import Told
from discovery.progress import StopSignal
from discovery.review.names import seen

SHAPE: dict[str, Any] = {"proposer": "manual", "samples": 4, "batch": 1, "trials": 3}
SPACE = 'SEARCH_SPACE = {"power": {"low": 0.0, "high": 2.0}}'
TUNABLE = rule("return weights / volumes ** power", keywords="power=0.1", head=SPACE)
BAD = rule("return -weights")


class Now(StopSignal):
    finishing = True  # type: ignore[assignment]


@pytest.fixture
def db(toy: Toy) -> str:
    return str(toy.folder / "ledger.sqlite")


def finish(db: str, run: str, texts: list[str]) -> list[Told]:
    """Answer whatever is asked next with these."""
    return [people.tell(db, run, people.ask(db, run).id, text) for text in texts]


def test_a_whole_run_without_a_model(toy: Toy, db: str) -> None:
    report = toy.start(**SHAPE)
    assert report.waiting and (report.samples, report.valid) == (0, 0)
    asked = people.ask(db, report.run)
    assert asked.id == "0" and "def rank(weights, volumes, capacity" in asked.prompt
    told = people.tell(db, report.run, asked.id, f"Here it is:\n```python\n{TUNABLE}```\n")
    data = told.to_json()
    assert told.status == "waiting" and data["candidate"] and data["known"] is None
    assert (data["outcome"], data["split"], data["direction"]) == ("scored", "search", "maximize")
    assert len(data["instances"]) == SIZES["search"][1]  # type: ignore[arg-type]
    rest = finish(db, report.run, [density(0.7), density(0.7), density(0.9)])
    assert [t.status for t in rest] == ["waiting", "waiting", "done"]
    assert rest[1].to_json()["known"] == rest[0].candidate, "equal code takes the stored scores"
    entries = toy.entries(report.run)
    assert {(0, "own"), (0, "tuned"), (1, "own"), (2, "own"), (3, "own")} <= set(entries)
    assert entries[0, "own"].score == told.score.score
    done = toy.resume(report.run)
    assert (done.samples, done.proposer) == (4, "manual") and done.best.promoted
    replayed = engine.start(RunSettings("knapsack", toy.settings(proposer="replay"), replay=report.run))
    assert toy.digest(replayed.run) == toy.digest(report.run)


def test_a_refused_answer_may_be_repaired_once(toy: Toy, db: str) -> None:
    run = toy.start(**SHAPE).run
    told = people.tell(db, run, "0", "words only")
    assert (told.candidate, told.score.outcome, told.score.score) == (None, "rejected", None)
    assert "no Python code" in told.score.reason
    asked = people.ask(db, run)
    assert asked.id == "0.1" and "words only" in asked.prompt and "refus" in asked.prompt
    assert people.tell(db, run, "0.1", density(0.7)).candidate
    again = finish(db, run, ["words", "and words"])[-1]
    assert again.candidate is None and people.ask(db, run).id == "2"
    assert toy.entries(run)[1, "own"].outcome == "refused"


def test_an_id_that_is_not_open_changes_nothing(toy: Toy, db: str) -> None:
    run = toy.start(**SHAPE).run
    people.tell(db, run, "0", density(0.7))
    before = toy.digest(run)
    for id_, sentence in (
        ("0", "request 0 of run r-.* is answered already"),
        ("7", "has no request 7; `discover ask r-"),
        ("1.1", "has no request 1.1"),
        ("one", "'one' is no id of a request, such as 17"),
        ("1; drop", "no id of a request"),
    ):
        with pytest.raises(UsageError, match=sentence):
            people.tell(db, run, id_, density(0.8))
    with pytest.raises(UsageError, match="not UTF-8"):
        people.tell(db, run, "1", "\udcff")
    with pytest.raises(UsageError, match="at most 1000000 are read"):
        people.tell(db, run, "1", "#" * 1_000_001)
    with pytest.raises(LedgerError, match="there is no run 'r-none'"):
        people.ask(db, "r-none")
    assert toy.digest(run) == before and people.ask(db, run).id == "1"
    toy.propose(None)
    with toy.ledger() as ledger:
        assert ledger.run(run).status == "waiting"


def test_a_run_that_asks_nobody_says_so(toy: Toy, db: str) -> None:
    run = toy.start(proposer="genetic", samples=4, tune=False, stop=Now()).run
    with pytest.raises(UsageError, match="it does not wait for a person; start one with --proposer manual"):
        people.ask(db, run)


def test_a_batch_has_several_open_requests(toy: Toy, db: str) -> None:
    """They go to whoever asks, one after another; scores come at once, the batch counts when it is complete."""
    run = toy.start(**{**SHAPE, "batch": 2}).run
    assert [people.ask(db, run).id for _ in range(3)] == ["0", "1", "0"]
    later = people.tell(db, run, "1", density(0.8))
    assert later.score.score is not None and not toy.entries(run)
    assert people.ask(db, run).id == "0"
    people.tell(db, run, "0", density(0.7))
    assert set(toy.entries(run)) == {(0, "own"), (1, "own")}
    assert [people.ask(db, run).id for _ in range(2)] == ["2", "3"]


@pytest.mark.parametrize("limit", [{"evaluations": 9}, {"control": 0.5}])
def test_limits_that_waiting_makes_meaningless_are_refused(toy: Toy, limit: dict[str, Any]) -> None:
    settings = toy.settings(proposer="manual", samples=4, batch=1, **limit)
    with pytest.raises(UsageError, match=f"--{next(iter(limit))} does not go with --proposer manual"):
        engine.start(RunSettings("knapsack", settings))
    with toy.ledger() as ledger:
        assert not ledger.runs()


def test_an_answer_is_scored_in_full_where_the_loop_stops_early(toy: Toy, db: str) -> None:
    run = toy.start(**SHAPE).run
    for text in (density(0.9), density(1.0), density(1.1)):
        finish(db, run, [text])
    told = finish(db, run, [BAD])[0]
    entry = toy.entries(run)[3, "own"]
    assert entry.outcome == "stopped" and entry.score is None and entry.m < SIZES["search"][1]
    assert told.score.score is not None and len(told.score.rows) == SIZES["search"][1]
    replayed = engine.start(RunSettings("knapsack", toy.settings(proposer="replay"), replay=run))
    assert toy.digest(replayed.run) == toy.digest(run), "the full scores change no verdict"


def test_resuming_a_waiting_run_asks_the_same_again(toy: Toy, db: str) -> None:
    run = toy.start(**SHAPE).run
    prompt = people.ask(db, run).prompt
    for _ in range(3):
        assert toy.resume(run).waiting
    assert people.ask(db, run).prompt == prompt
    with toy.ledger() as ledger:
        assert ledger.spent(run).repeated == 0
    finish(db, run, [density(0.7)])
    assert toy.checkpoints(run) <= 8


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_answer_survives_a_crash(toy: Toy, db: str, monkeypatch: pytest.MonkeyPatch, when: str) -> None:
    whole = toy.start(**SHAPE).run
    finish(db, whole, [TUNABLE, density(0.7), density(0.8), density(0.9)])
    run = toy.start(**SHAPE).run
    finish(db, run, [TUNABLE])
    work = Ledger.integrate

    def crash(*args: Any, **more: Any) -> bool:
        if when == "after":
            work(*args, **more)
        raise OSError("power cut")

    with monkeypatch.context() as patch:
        patch.setattr(Ledger, "integrate", crash)
        with pytest.raises(OSError, match="power cut"):
            people.tell(db, run, "1", density(0.7))
    with pytest.raises(UsageError, match="answered already"):
        people.tell(db, run, "1", density(0.75))
    assert toy.resume(run).waiting
    finish(db, run, [density(0.8), density(0.9)])
    assert toy.digest(run) == toy.digest(whole)


# -- one process at a time --

HOLDER = """
import sys
from db.ledger import Ledger
with Ledger.open(sys.argv[1]) as ledger, ledger.holding(sys.argv[2]):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_held_run_is_left_alone_until_its_holder_is_gone(toy: Toy, db: str) -> None:
    run = toy.start(**SHAPE).run
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER, db, run], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdout is not None and holder.stdout.readline() == "held\n"
    sentence = f"another process works on run {run}; wait for it to end, or end it"
    with pytest.raises(RunHeld, match=sentence):
        toy.resume(run)
    with pytest.raises(RunHeld, match=sentence):
        people.tell(db, run, "0", density(0.7))
    with toy.ledger() as ledger:
        assert ledger.run(run).status == "waiting"
        ledger.set_status(run, "running")
        assert seen(ledger, run).status == "running"
    holder.send_signal(signal.SIGKILL)
    holder.communicate(timeout=60)
    with toy.ledger() as ledger:
        killed = seen(ledger, run)
        assert (killed.status, ledger.run(run).status) == ("interrupted", "running"), (
            "looking changes nothing"
        )
        assert killed.reason == f"its process ended without a word; `discover resume {run}` goes on"
    assert people.tell(db, run, "0", density(0.7)).status == "waiting"


def test_looking_whether_a_run_is_held_keeps_nobody_from_holding_it(toy: Toy) -> None:
    run = toy.start(**SHAPE).run
    looking = threading.Event()
    with toy.ledger() as ledger:

        def look() -> None:
            while not looking.is_set():
                ledger.abandoned(run)

        watcher = threading.Thread(target=look)
        watcher.start()
        try:
            for _ in range(200):
                with ledger.holding(run):
                    assert not ledger.abandoned(run)
        finally:
            looking.set()
            watcher.join()


def test_of_two_that_tell_at_once_one_wins(installed: Path, toy: Toy, db: str) -> None:
    run = toy.start(**{**SHAPE, "executor": "local"}).run
    path = os.pathsep.join([str(installed), str(TESTS), *filter(None, sys.path)])
    processes = []
    for power in (0.7, 0.9):
        file = toy.folder / f"{power}.py"
        file.write_text(density(power))
        said = [
            sys.executable,
            "-c",
            "from discovery.cli.main import main; main()",
            "tell",
            run,
            "0",
            str(file),
        ]
        processes.append(
            subprocess.Popen(
                [*said, "--db", db, "--quiet", "--json"],
                env={**os.environ, "PYTHONPATH": path},
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        )
    ends = [(*p.communicate(timeout=120), p.returncode) for p in processes]
    (won,) = [end for end in ends if end[2] == 0]
    (lost,) = [end for end in ends if end[2] != 0]
    assert lost[2] in (2, 3) and lost[0] == "" and lost[1].count("\n") == 1, lost
    entry = toy.entries(run)[0, "own"]
    assert entry.candidate == json.loads(won[0])["candidate"]


# -- the commands --


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as left:
        main(list(words))
    captured = capsys.readouterr()
    return left.value.code, captured.out, captured.err


COMMAND = ("run", "--task", "knapsack", "--proposer", "manual", "--executor", "inline", "--quiet")


def test_the_commands_from_start_to_end(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    db = ("--db", str(toy.folder / "l.sqlite"))
    code, out, err = said(capsys, *COMMAND, "--samples", "2", "--json", *db)
    run = json.loads(out)["run"]
    assert code == 0 and json.loads(out)["status"] == "waiting" and f"`discover ask {run}`" in err
    code, out, _ = said(capsys, "ask", run, "--json", *db)
    assert code == 0 and set(json.loads(out)) == {"id", "prompt"} and json.loads(out)["id"] == "0"
    code, out, err = said(capsys, "ask", run, *db)
    assert out.startswith("You write") and f"`discover tell {run} 0 FILE`" in err
    answer = toy.folder / "answer.py"
    answer.write_text(density(0.7))
    code, out, err = said(capsys, "tell", run, "0", str(answer), "--quiet", "--json", *db)
    data = json.loads(out)
    assert code == 0 and data["outcome"] == "scored" and data["run_status"] == "waiting"
    answer.write_text("nothing \x1b[31m")
    code, out, err = said(capsys, "tell", run, "1", str(answer), "--quiet", *db)
    assert code == 1 and "no score: rejected: " in err and "\x1b" not in err
    code, out, err = said(capsys, "tell", run, "0", str(answer), *db, "--quiet")
    assert (code, out) == (2, "") and err == f"discover: request 0 of run {run} is answered already\n"
    code, out, _ = said(capsys, "runs", "--json", *db)
    assert json.loads(out)["runs"][0]["status"] == "waiting"


@pytest.mark.parametrize("flags", [("--model", "m"), ("--tokens", "9"), ("--temperature", "1")])
def test_flags_without_effect_are_refused(
    toy: Toy, capsys: pytest.CaptureFixture[str], flags: tuple[str, str]
) -> None:
    code, _, err = said(capsys, *COMMAND, *flags, "--db", str(toy.folder / "l.sqlite"))
    assert code == 2 and flags[0] in err and "no model is asked" in err


def test_templates_of_ones_own_reach_the_person(toy: Toy, capsys: pytest.CaptureFixture[str]) -> None:
    templates = toy.folder / "templates"
    templates.mkdir()
    (templates / "system.j2").write_text("Dear colleague")
    db = ("--db", str(toy.folder / "l.sqlite"))
    _, out, _ = said(capsys, *COMMAND, "--templates", str(templates), "--json", *db)
    _, out, _ = said(capsys, "ask", json.loads(out)["run"], *db)
    assert out.startswith("Dear colleague")
