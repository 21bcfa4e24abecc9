"""A recorded run is repeated, from the ledger and from a file in an empty ledger, with the digest of the original."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from toy.loop import TOKENS, Scripted, Toy, density, rule

import discovery.run as engine
from discovery.cli.main import main
from discovery.errors import UsageError
from discovery.mock_llm import MockServer
from discovery.progress import StopSignal
from discovery.proposers.base import EDITS, WRITES, ProposerNoReply, ProposerRefused, Request
from discovery.proposers.cassette import read_cassette, write_cassette
from discovery.proposers.make import make_proposer
from discovery.recorded import of_run, repeated
from discovery.report import RunReport

SPACE = 'SEARCH_SPACE = {"power": {"low": 0.0, "high": 2.0}}'
TUNABLE = rule("return weights / volumes ** power", keywords="power=0.1", head=SPACE)
SHAPE: dict[str, Any] = {"samples": 14, "batch": 4, "trials": 3, "seed": 5, "islands": 3, "archive": 3}


def script(request: Request) -> str | Exception:
    """Whatever can become of a slot: tuned, repaired, not repaired, refused, lost, failing, equal to another."""
    k, again = request.slot, request.attempt
    said: dict[int, str | Exception] = {
        0: TUNABLE,
        1: density(0.4) if again else "no code",
        2: "still no code" if again else "no code at all",
        3: ProposerRefused("filtered"),
        4: ProposerNoReply("timed out"),
        5: rule("return [1 / 0]"),
        6: density(0.4),
        7: ProposerRefused("again filtered") if again else "no code either",
        8: ProposerNoReply("again timed out") if again else "nothing",
    }
    return said.get(k, density(0.5 + k / 100))


class After(StopSignal):
    """Asks to stop once it has been looked at ``looks`` times."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.left = looks

    @property
    def finishing(self) -> bool:
        self.left -= 1
        return self.left < 0


def replay(toy: Toy, monkeypatch: pytest.MonkeyPatch, source: str, *, db: str) -> RunReport:
    """With other settings of its own, none of which may count."""
    monkeypatch.setattr(engine, "make_proposer", make_proposer)
    own = toy.settings(
        proposer="replay", db=db, seed=99, batch=2, islands=1, gate="pool", tune=False, samples=3
    )
    return engine.start(engine.RunSettings("knapsack", own, replay=source))


def taped(toy: Toy, run: str) -> Path:
    path = toy.folder / f"{run}.jsonl"
    with toy.ledger() as ledger:
        write_cassette(path, of_run(ledger, ledger.run(run)))
    return path


def recorded(toy: Toy, what: str) -> str:
    """A run of this kind; gives its id."""
    toy.propose(Scripted(script, paid=True))
    if what == "whole":
        return toy.start(**SHAPE).run
    if what == "cut by a budget":
        report = toy.start(**SHAPE, tokens=11 * TOKENS)
        assert report.samples < SHAPE["samples"]
        return report.run
    if what == "from a file":
        (toy.folder / "mine.py").write_text(density(0.2))
        return toy.start(**SHAPE, sources=(str(toy.folder / "mine.py"), "heaviest")).run
    if what == "resumed":
        report = toy.start(stop=After(3), **SHAPE)
        assert report.interrupted
        return toy.resume(report.run).run
    if what == "not finished":
        report = toy.start(stop=After(5), **SHAPE)
        assert report.interrupted
        return report.run
    report = toy.start(**SHAPE, control=0.75)
    assert report.control is not None and report.samples == 4
    return report.run if what == "beside a control" else report.control.run


@pytest.mark.parametrize(
    "what",
    ["whole", "cut by a budget", "from a file", "resumed", "not finished", "beside a control", "a control"],
)
def test_the_same_digest_from_the_ledger_and_from_a_file(
    toy: Toy, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    run = recorded(toy, what)
    digest, path = toy.digest(run), taped(toy, run)
    (toy.folder / "mine.py").unlink(missing_ok=True)
    for source, db in ((run[:7], "ledger"), (str(path), "other")):
        report = replay(toy, monkeypatch, source, db=db)
        assert report.status == "done" and toy.digest(report.run, db) == digest
        assert report.replay is not None and report.replay.same and report.tokens == 0
        with toy.ledger() as ledger, toy.ledger(db) as own:
            reasons = [e.reason for e in ledger.entries(run)]
            assert [e.reason for e in own.entries(report.run)] == reasons, "reasons too"
            assert [n for n, _ in own.run(report.run).settings["seeds"]] == [  # type: ignore[attr-defined]
                n
                for n, _ in ledger.run(run).settings["seeds"]  # type: ignore[attr-defined]
            ]


def test_a_replay_is_recorded_like_any_run(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its proposer could be asked for what the first one could."""
    run = recorded(toy, "whole")
    again = replay(toy, monkeypatch, run, db="ledger")
    with toy.ledger() as ledger:
        tapes = [of_run(ledger, ledger.run(r)) for r in (run, again.run)]
    assert tapes[0].course == tapes[1].course and tapes[0].lost == tapes[1].lost
    assert tapes[0].course is not None and tapes[0].course.operators == EDITS


def test_a_replay_from_a_file_is_resumed(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    run = recorded(toy, "whole")
    digest, path = toy.digest(run), taped(toy, run)
    monkeypatch.setattr(engine, "make_proposer", make_proposer)
    chosen = engine.RunSettings("knapsack", toy.settings(proposer="replay", db="other"), replay=str(path))
    report = engine.start(chosen, stop=After(3))
    assert report.interrupted and report.replay is None
    done = toy.resume(report.run, db="other")
    assert toy.digest(done.run, "other") == digest and done.replay is not None and done.replay.same
    path.write_text("")
    with toy.ledger("other") as ledger:
        assert repeated(ledger, ledger.run(report.run), measured=False) is None, (
            "a recording that is gone says nothing"
        )


def test_a_file_of_version_1_answers_and_decides_nothing_else(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = recorded(toy, "whole")
    with toy.ledger() as ledger:
        tape = of_run(ledger, ledger.run(run))
    path = toy.folder / "old.jsonl"
    write_cassette(path, replace(tape, course=None, refused={}, lost={}))
    monkeypatch.setattr(engine, "make_proposer", make_proposer)
    own = toy.settings(proposer="replay", db="other", **{**SHAPE, "samples": None})
    report = engine.start(engine.RunSettings("knapsack", own, replay=str(path)))
    assert report.samples == 14 and report.replay is None
    kinds = {k: e.outcome for (k, kind), e in toy.entries(report.run, "other").items() if kind == "own"}
    assert kinds[4] == "refused", "why there is no reply was not recorded then"


def test_a_tape_of_another_program_says_so(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    """What differs is named where the digests do."""
    run = recorded(toy, "whole")
    with toy.ledger() as ledger:
        tape = of_run(ledger, ledger.run(run))
    assert tape.course is not None
    course = replace(tape.course, digest="0" * 64, versions={**tape.course.versions, "evaluator": "0"})
    path = toy.folder / "other.jsonl"
    write_cassette(path, replace(tape, course=course))
    report = replay(toy, monkeypatch, str(path), db="other")
    assert report.replay is not None
    assert (report.replay.same, report.replay.differs) == (False, ("evaluator 0 then, 1 now",))


@pytest.mark.parametrize(
    "task, change, said",
    [
        ("smtt", {}, "is of task 'knapsack', not of 'smtt'"),
        ("knapsack", {"seeds": (("x", "import os"),)}, "a seed of the recording is not a candidate"),
        ("knapsack", {"options": {"colour": "red"}}, "colour"),
    ],
)
def test_a_tape_that_does_not_fit_is_one_sentence(
    toy: Toy, capsys: pytest.CaptureFixture[str], task: str, change: dict[str, Any], said: str
) -> None:
    run = recorded(toy, "whole")
    with toy.ledger() as ledger:
        tape = of_run(ledger, ledger.run(run))
    assert tape.course is not None
    path = toy.folder / "other.jsonl"
    write_cassette(path, replace(tape, course=replace(tape.course, **change)))
    with pytest.raises(SystemExit) as ended:
        main(["run", "--task", task, "--replay", str(path), "--db", str(toy.folder / "o.sqlite"), "--quiet"])
    err = capsys.readouterr().err
    assert ended.value.code == 2 and said in err and err.count("\n") == 1, err


def test_a_missing_file_is_no_unknown_run(toy: Toy) -> None:
    chosen = engine.RunSettings("knapsack", toy.settings(proposer="replay"), replay="gone/run.jsonl")
    with pytest.raises(UsageError, match="no such file and no such run"):
        engine.start(chosen)


# -- the command line, with a model behind HTTP --


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as left:
        main(list(words))
    captured = capsys.readouterr()
    return left.value.code, captured.out, captured.err


def test_a_models_run_is_repeated_without_it(
    toy: Toy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(toy.folder)
    first, second = ("--db", str(toy.folder / "a.sqlite")), ("--db", str(toy.folder / "b.sqlite"))
    quiet = ("--task", "knapsack", "--quiet", "--json", "--executor", "inline")
    with MockServer(fail={"prose": 0.4, "empty": 0.2}) as server:
        asked = (
            "--model",
            "mock",
            "--base-url",
            server.base_url,
            "--samples",
            "12",
            "--batch",
            "4",
            "--trials",
            "3",
        )
        code, out, err = said(capsys, "run", *quiet, *asked, *first)
    assert code == 0, err
    run = json.loads(out)["run"]
    code, out, _ = said(capsys, "show", run, "--cassette", "run.jsonl", "--json", *first)
    assert code == 0 and json.loads(out)["written"] is True
    code, out, _ = said(capsys, "show", run, "--cassette", "run.jsonl", *first)
    assert code == 0 and "are already in run.jsonl" in out
    code, out, _ = said(capsys, "show", run, "--cassette", "-", *first)
    assert out == Path("run.jsonl").read_text()
    assert server.base_url not in out and '"prompt"' not in out
    tape = read_cassette(Path("run.jsonl"))
    assert tape.refused and any(r == 1 for _, r in tape.replies) and tape.course is not None
    assert tape.course.operators <= WRITES and tape.course.settings.model == "mock"

    code, out, err = said(capsys, "run", "--replay", "run.jsonl", *quiet, *second)
    assert code == 0, err
    again = json.loads(out)
    assert again["replay"]["same"] is True and again["tokens"] == 0
    digests = [
        said(capsys, "show", r, "--digest", *db)[1] for r, db in ((run, first), (again["run"], second))
    ]
    assert digests[0] == digests[1]
    code, _, err = said(capsys, "run", "--replay", "run.jsonl", "--seed", "1", *quiet, *second)
    assert code == 2 and "--seed has no effect with --replay" in err
    code, _, err = said(capsys, "show", run, "--cassette", "-", "--digest", *first)
    assert code == 2 and "--digest and --cassette exclude each other" in err
