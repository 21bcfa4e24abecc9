"""A task whose scores are measured, so that no judgement comes twice: a run that is killed and goes on, its replay, its
audit, its report and its package. What must repeat are answers; scores are taken from the ledger."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from toy.stopwatch import Stopwatch

from db.ledger import Ledger
from db.records import EntryKey
from discovery.audit import audit
from discovery.candidate import check
from discovery.cli import servers
from discovery.cli.main import main
from discovery.evaluation import Evaluation
from discovery.execution.base import Executor, StageResult
from discovery.execution.make import make_executor
from discovery.explain.bench import compare
from discovery.lifting import Numbers, literals, relevant
from discovery.members import scored_member
from discovery.plugins.rescoring import Claim, rescored
from discovery.population.archive import Archive
from discovery.recorded import repeated
from evaluators import registry
from evaluators.task import Task

TASK = Stopwatch({})
SEARCH = TASK.instances("search")
RUN = "--task stopwatch --samples 24 --batch 4 --trials 6 --seed 3 --workers 1 --lift-constants -q".split()
KILLED = """
import sys
from evaluators import registry
registry.BUILT_IN["stopwatch"] = "toy.stopwatch:Stopwatch"
sys.path.insert(0, sys.argv[1])
from killing import arm
arm(sys.argv[2], int(sys.argv[3]), 0.9, "orphans.json")
from discovery.cli.main import main
main(["run", *sys.argv[4:]])
"""
TESTS = Path(__file__).parent


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(registry.BUILT_IN, Stopwatch.name, "toy.stopwatch:Stopwatch")
    monkeypatch.setattr(servers, "PORTS", {})
    return tmp_path


@pytest.fixture(scope="module")
def executor() -> Iterator[Executor]:
    made = make_executor(TASK, "inline", 1)
    yield made
    made.close()


def discover(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--json"])
    captured = capsys.readouterr()
    assert ended.value.code in (0, 1), captured.err
    told: dict[str, Any] = json.loads(captured.out)
    return told


def killed(folder: Path, place: str, nth: int) -> str:
    """A run that died by SIGKILL; its id."""
    words = [sys.executable, "-c", KILLED, str(TESTS / "crash"), place, str(nth), *RUN]
    paths = os.pathsep.join(map(str, (TESTS.parent, TESTS)))
    ended = subprocess.run(
        words, cwd=folder, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, check=False
    )
    assert ended.returncode == -9, ended.stderr.decode()
    with opened(folder) as ledger:
        return ledger.runs()[0].id


def opened(folder: Path) -> Ledger:
    return Ledger.open(f"sqlite:///{next(folder.rglob('ledger*.sqlite'))}")


@pytest.mark.parametrize(("place", "nth"), [("tune", 2), ("evaluate", 9), ("integrate", 3)])
def test_a_run_that_was_killed_goes_on_and_is_repeated(
    folder: Path, capsys: pytest.CaptureFixture[str], place: str, nth: int
) -> None:
    run = killed(folder, place, nth)
    assert discover(capsys, "resume", run, "-q")["status"] == "done"
    told = discover(capsys, "run", "--task", "stopwatch", "--replay", run, "-q")
    assert told["replay"] == {"source": run, "same": True, "differs": []}
    with opened(folder) as ledger:
        entries = ledger.entries(run)
        assert any(e.kind == "tuned" for e in entries), "without a tuned child the replay shows little"
        assert not any(e.outcome == "quarantined" for e in entries)
        trials = [[ledger.trials(s.id) for s in ledger.studies(r)] for r in (run, str(told["run"]))]
        assert trials[0] == trials[1]
    found = discover(capsys, "verify", run)
    assert found["ok"], found["problems"]
    assert found["audit"]["left"].keys() <= {"measured trials", "timeout", "other sets"}
    assert found["audit"]["recomputed"] > 3


def test_report_explain_and_package(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = str(discover(capsys, "run", *RUN)["run"])
    report = discover(capsys, "report", run, "-q")
    assert any("scores are measured" in note for note in report["notes"])
    discover(capsys, "export", run, "--out", "package", "-q")
    package = next(p.parent for p in folder.rglob("pyproject.toml"))
    assert "Scores are measured" in (package / "README.md").read_text()
    found = discover(capsys, "verify", str(package), "-q")
    assert found["ok"] and found["golden"] and [s["same_answers"] for s in found["scores"]] == [True, True]
    assert any(s["recorded"] != s["measured"] for s in found["scores"])
    explained = discover(capsys, "explain", found["candidate"][:8], "-q")
    assert explained["run"] == run


@pytest.mark.usefixtures("folder")
def test_a_replay_without_the_scores_says_why(capsys: pytest.CaptureFixture[str]) -> None:
    """In an empty ledger everything is measured anew."""
    run = str(discover(capsys, "run", *RUN)["run"])
    with pytest.raises(SystemExit):
        main(["show", run, "--cassette", "run.jsonl"])
    capsys.readouterr()
    told = discover(
        capsys, "run", "--task", "stopwatch", "--replay", "run.jsonl", "--db", "other.sqlite", "-q"
    )
    assert told["replay"]["same"] is False and "were measured anew" in told["replay"]["differs"][-1]
    with Ledger.open("sqlite:///other.sqlite") as ledger:
        assert repeated(ledger, ledger.run(str(told["run"])), measured=False).differs == ()  # type: ignore[union-attr]


# -- answers in place of scores ---------------------------------------------------------------------------------------

RANK = "def rank(times, weights):\n    return weights / times\n"
COUNTING = (
    "SEEN = []\ndef rank(times, weights):\n    SEEN.append(1)\n    return weights + len(SEEN) * times % 7\n"
)


def test_an_elite_is_confirmed_by_its_answers(executor: Executor) -> None:
    with Ledger.open("sqlite://") as ledger:
        evaluation = Evaluation(TASK, executor, ledger)
        honest, counting = (check(code, TASK.interface) for code in (RANK, COUNTING))
        assert evaluation.search(honest, None).score is not None
        assert evaluation.confirm(honest) is None
        kept = evaluation.stored(honest.hash, SEARCH)
        assert kept is not None and kept.answers is not None
        assert evaluation.search(counting, None).score is not None
        assert evaluation.confirm(counting) == "run again in reversed order it gives other answers"


def test_an_exact_task_is_confirmed_by_its_scores() -> None:
    """The same noise in a task that does not say so is what the confirmation is for."""

    class Silent(Stopwatch):
        measured = False

    task = Silent({})
    made = make_executor(task, "inline", 1)
    try:
        with Ledger.open("sqlite://") as ledger:
            evaluation, honest = Evaluation(task, made, ledger), check(RANK, task.interface)
            evaluation.search(honest, None)
            assert "it scores differently on" in (evaluation.confirm(honest) or "")
    finally:
        made.close()


def test_an_island_keeps_one_of_those_that_answer_alike(executor: Executor) -> None:
    with Ledger.open("sqlite://") as ledger:
        evaluation, members = Evaluation(TASK, executor, ledger), []
        for k, text in enumerate((RANK, RANK.replace("weights / times", "1.0 * (weights / times)"))):
            candidate = check(text, TASK.interface)
            found = evaluation.search(candidate, None)
            members.append(scored_member(TASK, EntryKey(k, "own"), 0, candidate, found))
        assert members[0].scores != members[1].scores
        archive = Archive(members, islands=1, capacity=4, direction="maximize")
        assert len(archive.snapshot().islands[0]) == 1
        exact = [replace(m, measured=False) for m in members]
        assert len(Archive(exact, islands=1, capacity=4, direction="maximize").snapshot().islands[0]) == 2


def test_a_literal_matters_when_it_changes_an_answer(executor: Executor) -> None:
    code = (
        "def rank(times, weights):\n    return weights / (times + 2.5) if weights.sum() > 0.35 else times\n"
    )
    candidate = check(code, TASK.interface)
    numbers = Numbers(candidate, literals(candidate))
    with Ledger.open("sqlite://") as ledger:
        evaluation = Evaluation(TASK, executor, ledger)
        scores = evaluation.search(candidate, None).scores

        def run(text: str, count: int) -> StageResult:
            return evaluation.trial(candidate, text, {}, None, count)

        (shift, bar) = (x.name for x in numbers.literals)
        assert relevant(numbers, scores, 2, run)[0] == {shift, bar}, "noise alone makes all matter"
        assert relevant(numbers, scores, 2, run, measured=True)[0] == {shift}


def test_equal_answers_are_no_change_to_explain(executor: Executor) -> None:
    with Ledger.open("sqlite://") as ledger:
        evaluation = Evaluation(TASK, executor, ledger)
        own, same, other = (
            evaluation.search(check(RANK.replace("weights / times", form), TASK.interface), None)
            for form in ("weights / times", "1.0 * (weights / times)", "times / weights")
        )
        alike = compare(own, same, SEARCH, TASK, ("a", "b"), 999)
        assert (alike.score, alike.gain, alike.low, alike.high) == (own.score, 0.0, 0.0, 0.0)
        assert (alike.p, alike.p_worse) == (1 / 1000, 1.0)
        assert (compare(own, other, SEARCH, TASK, ("a", "b"), 999).gain or 0) < -0.1


def test_scoring_again_compares_answers(executor: Executor) -> None:
    with Ledger.open("sqlite://") as ledger:
        evaluation, candidate = Evaluation(TASK, executor, ledger), check(RANK, TASK.interface)
        found = evaluation.search(candidate, None)
        claim = Claim("search", found.score, found.behaviour, found.scores, None)
        again = rescored(executor, TASK, candidate.code, claim)
        assert again.agrees and not again.differ and again.measured != again.recorded
        other = rescored(executor, TASK, candidate.code.replace("/", "-"), claim)
        assert other.complaint == "on search its answers are not those recorded"
        failing = rescored(executor, TASK, "def rank(times, weights):\n    return 1 // 0\n", claim)
        assert "it ended as error" in failing.complaint


def test_the_audit_finds_other_answers(
    folder: Path, capsys: pytest.CaptureFixture[str], executor: Executor
) -> None:
    """Scores may come again as they like, answers not: the digest of one evaluation is changed behind its back."""
    run = str(discover(capsys, "run", *RUN)["run"])
    path = next(folder.rglob("ledger*.sqlite"))
    connection = sqlite3.connect(path)
    with connection:
        for kept in ("IS NULL", "IS NOT NULL"):
            (row,) = connection.execute(
                f"SELECT max(rowid) FROM evaluation WHERE outcome = 'scored' AND answers {kept}"
                " AND set_name IN ('search', 'gate')"
            ).fetchone()
            connection.execute("UPDATE evaluation SET answers_digest = ? WHERE rowid = ?", ("0" * 64, row))
    connection.close()
    with opened(folder) as ledger:
        problems = audit(ledger, cast(Task, TASK), ledger.run(run), executor).problems
    assert len(problems) == 2
    assert sum("the answers kept are not those that were hashed" in p for p in problems) == 1
    assert sum(p.endswith("run again it gives other answers") for p in problems) == 1
