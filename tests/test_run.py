"""Starting and resuming: what a row freezes, what is refused, and what the command line says at the end."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from toy.loop import Scripted, Toy, by_slot, density, rule
from toy.task import Knapsack

import discovery.frozen as frozen
from db.errors import LedgerError
from discovery import run as engine
from discovery.budget import Budget
from discovery.candidate import check
from discovery.cli.main import main
from discovery.config import Where
from discovery.errors import EnvironmentProblem, UsageError
from discovery.execution.base import Executor
from discovery.progress import Progress, StopSignal
from discovery.proposers.base import ProposerRefused
from evaluators import registry
from evaluators.task import TaskError

GOOD = by_slot([density(0.3 + k / 10) for k in range(8)])


class Now(StopSignal):
    finishing = True  # type: ignore[assignment]


@pytest.fixture
def stopped(toy: Toy) -> tuple[Toy, str]:
    """A run that was stopped at its first step."""
    toy.propose(Scripted(GOOD))
    report = toy.start(stop=Now())
    assert report.interrupted and report.reason == "stopped by the user"
    return toy, report.run


def test_a_third_party_task_is_found_by_its_metadata(toy: Toy) -> None:
    assert "knapsack" in registry.names() and toy.folder
    assert registry.load("knapsack", {"gate": "pool"}).gate_blocks == 3
    with pytest.raises(TaskError, match="not one of fixed, pool"):
        registry.load("knapsack", {"gate": "open"})


def test_stop_then_resume_completes(stopped: tuple[Toy, str]) -> None:
    toy, run = stopped
    report = toy.resume(run)
    assert report.status == "done" and report.samples == 8
    with toy.ledger() as ledger:
        times = [float(str(e.data["seconds"])) for e in ledger.events(run, "time")]
        assert len(times) == 4 and times == sorted(times), "two batches and two sittings, in time used so far"


def test_another_evaluator_version_is_refused(
    stopped: tuple[Toy, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy, run = stopped
    monkeypatch.setattr(Knapsack, "version", "2")
    with pytest.raises(UsageError, match="version 1 of the evaluator of 'knapsack', now it is 2"):
        toy.resume(run)


def test_another_template_is_refused(stopped: tuple[Toy, str], monkeypatch: pytest.MonkeyPatch) -> None:
    toy, run = stopped
    monkeypatch.setattr(frozen, "template_hashes", lambda _: {"improve.j2": "abc"})
    with pytest.raises(
        UsageError, match=r"prompt template improve\.j2 was None and is abc; restore the template"
    ):
        toy.resume(run)


def test_another_package_version_is_refused(
    stopped: tuple[Toy, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy, run = stopped
    real = frozen.version
    monkeypatch.setattr(frozen, "version", lambda name: "0.0" if name == "numpy" else real(name))
    with pytest.raises(UsageError, match=r"package numpy was .* and is 0\.0; install the old version"):
        toy.resume(run)


def test_another_isolation_is_refused(
    stopped: tuple[Toy, str], bag_executor: Executor, monkeypatch: pytest.MonkeyPatch
) -> None:
    toy, run = stopped
    monkeypatch.setattr(bag_executor, "isolated", False)
    with pytest.raises(EnvironmentProblem, match="was isolated, and this machine is not the same"):
        toy.resume(run)


def test_a_finished_run_may_be_read_under_another_version(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.propose(Scripted(GOOD))
    report = toy.start(samples=2, tune=False)
    real = frozen.version
    monkeypatch.setattr(frozen, "version", lambda name: "0.0" if name == "numpy" else real(name))
    assert toy.resume(report.run).best == report.best


def test_settings_are_frozen_when_a_run_starts(stopped: tuple[Toy, str]) -> None:
    toy, run = stopped
    with toy.ledger() as ledger:
        record = ledger.run(run)
    settings: Any = record.settings["settings"]
    assert settings["samples"] == 8 and settings["batch"] == 4 and "db" not in settings
    assert record.options == {"gate": "fixed"} and record.evaluator_version == "1" and record.isolated
    assert {"python", "numpy", "optuna", "langgraph"} <= set(record.versions)
    assert record.layers["landlock"] is True and record.layers["seccomp"] is True
    assert [name for name, _ in record.settings["seeds"]] == ["heaviest", "trivial"]  # type: ignore[union-attr]
    plan = frozen.thaw(record, "x.sqlite", Where(workers=7))
    assert replace(plan.settings, db="", workers=1) == replace(toy.settings(), db="")
    assert (plan.settings.db, plan.settings.workers) == ("x.sqlite", 7)
    there = frozen.thaw(record, "x.sqlite", Where(None, "ray", "h:6379")).settings
    assert (there.executor, there.address, there.workers) == ("ray", "h:6379", 1)
    with pytest.raises(UsageError, match="does not run on a cluster"):
        frozen.thaw(record, "x.sqlite", Where(address="h:6379"))


def test_seeds_keep_their_code_when_the_file_changes(toy: Toy) -> None:
    path = toy.folder / "mine.py"
    path.write_text(density(0.2))
    toy.propose(Scripted(GOOD))
    run = toy.start(stop=Now(), sources=(str(path),)).run
    path.write_text(rule("return weights"))
    report = toy.resume(run)
    assert report.seed[0] == str(path)
    with toy.ledger() as ledger:
        seed = ledger.entry(run, -1, "seed")
    assert seed is not None and seed.candidate == check(density(0.2), Knapsack.interface).hash


def test_unknown_runs_and_files(toy: Toy) -> None:
    with pytest.raises(LedgerError):
        toy.resume("r-00000000", db="none")
    toy.propose(Scripted(GOOD))
    report = toy.start(samples=1, tune=False)
    with pytest.raises(LedgerError, match="there is no run 'r-none'"):
        toy.resume("r-none")
    assert toy.resume(report.run[:6]).run == report.run, "the begin of an id is enough"


def test_unknown_sources_make_no_run(toy: Toy) -> None:
    with pytest.raises(UsageError, match="neither a baseline of task 'knapsack'"):
        toy.start(sources=("nobody",))
    with toy.ledger() as ledger:
        assert ledger.runs() == ()


def test_a_failing_run_is_interrupted_with_its_reason(toy: Toy) -> None:
    toy.propose(Scripted(by_slot({0: density(1.0)}, lambda k: (_ for _ in ()).throw(OSError(f"slot {k}")))))
    with pytest.raises(OSError, match="slot"):
        toy.start()
    with toy.ledger() as ledger:
        (record,) = ledger.runs()
    assert record.status == "interrupted" and record.reason.startswith("OSError: slot")


def test_minutes_end_a_run_between_batches(toy: Toy, monkeypatch: pytest.MonkeyPatch) -> None:
    toy.propose(Scripted(GOOD))
    used = iter([0.0, 30.0, 61.0, 61.0])
    monkeypatch.setattr(Budget, "seconds", property(lambda _: next(used, 61.0)))
    report = toy.start(minutes=1)
    assert report.status == "done" and report.samples in (4, 8)
    with toy.ledger() as ledger:
        assert "time limit" in str(ledger.events(report.run, "searched")[0].data["ended by"])


def test_a_limit_of_cost_needs_a_known_price(toy: Toy) -> None:
    with pytest.raises(UsageError, match="price of model 'm'"):
        toy.start(proposer="chat", model="m", base_url="https://models.example.org/v1", cost=1.0)


def test_a_control_arm_has_the_seeds_as_its_only_parents(toy: Toy) -> None:
    toy.propose(Scripted(by_slot([density(0.3 + k / 20) for k in range(12)])))
    report = toy.start(samples=12, control=0.25)
    assert report.control is not None and (report.samples, report.control.samples) == (9, 3)
    arm = report.control.run
    with toy.ledger() as ledger:
        assert ledger.run(arm).control_of == report.run
        entries = {e.id: e for e in ledger.entries(arm)}
        parents = ledger.parents(arm)
        assert all(
            entries[p].kind == "seed" for e in entries.values() if e.kind == "own" for p in parents[e.id]
        )
    assert report.tokens == 15 * 12, "the control's tokens are the run's"
    again = toy.resume(arm)
    assert again.run == report.run and again.samples == 9, "a control goes on as an arm of its run"
    with pytest.raises(UsageError, match="leaves none of the 2 samples"):
        toy.start(samples=2, control=1.0)


def test_progress_only_grows(toy: Toy) -> None:
    seen: list[Progress] = []
    toy.propose(Scripted(GOOD))
    engine.start(engine.RunSettings("knapsack", toy.settings()), on_progress=seen.append)
    assert [p.samples.used for p in seen] == sorted(p.samples.used for p in seen)
    assert seen[-1].phase == "done" and seen[-1].samples.used == 8 == seen[-1].evaluated
    assert {p.phase for p in seen} >= {"searching", "finishing", "done"}
    champion = seen[-1].champion
    assert champion is not None and champion.gate is not None and champion.search is not None


# -- the end of the command --


def ended(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[object, str, str]:
    with pytest.raises(SystemExit) as left:
        main(list(words))
    said = capsys.readouterr()
    return left.value.code, said.out, said.err


COMMAND = (
    "run",
    "--task",
    "knapsack",
    "--samples",
    "6",
    "--batch",
    "3",
    "--executor",
    "inline",
    "--json",
    "--quiet",
)


def test_when_nothing_valid_comes_out_it_says_where_all_were_lost(
    toy: Toy, capsys: pytest.CaptureFixture[str]
) -> None:
    def script(request: Any) -> str | Exception:
        if request.slot == 0:
            return ProposerRefused("filtered")
        return rule(f"return [{request.slot} / 0]") if request.slot in (1, 2) else "words only"

    toy.propose(Scripted(script))
    code, out, err = ended(capsys, *COMMAND, "--db", str(toy.folder / "l.sqlite"))
    assert code == 1
    assert err.splitlines()[-1] == "discover: nothing valid came out: 4 refused, 2 error"
    data = json.loads(out)
    assert (data["valid"], data["samples"], data["failures"]) == (0, 6, {"refused": 4, "error": 2})
    assert data["best"]["promoted"] is False


def test_an_interrupted_run_ends_with_130_and_says_how_to_go_on(
    toy: Toy, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    toy.propose(Scripted(GOOD))
    monkeypatch.setattr(StopSignal, "finishing", True)
    db = ("--db", str(toy.folder / "l.sqlite"))
    code, out, err = ended(capsys, *COMMAND, *db)
    run = json.loads(out)["run"]
    assert code == 130 and f"`discover resume {run}`" in err
    monkeypatch.setattr(StopSignal, "finishing", property(lambda self: self._requests >= 1))
    code, out, _ = ended(capsys, "resume", run, "--json", "--quiet", *db)
    assert code == 0 and json.loads(out)["status"] == "done"
