"""Whole runs inside their limits: counted apart from the ledger, stopped at every step, after a kill, by replay."""

from __future__ import annotations

import re
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loop_processes import command, wait
from toy.loop import Scripted, Toy, by_slot, density, rule

from db.ledger import Ledger
from discovery import run as engine
from discovery.execution.base import StageJob
from discovery.execution.local import InlineExecutor
from discovery.mock_llm import MockServer
from discovery.progress import StopSignal

SPACE = 'SEARCH_SPACE = {"power": {"low": 0.0, "high": 2.0}}'


def tunable(k: int) -> str:
    return rule(f"return weights / volumes ** power + {k}", keywords=f"power={0.3 + k / 50}", head=SPACE)


class After(StopSignal):
    def __init__(self, looks: int) -> None:
        super().__init__()
        self.left = looks

    @property
    def finishing(self) -> bool:
        self.left -= 1
        return self.left < 0


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every job on the search split but confirmations: the code and the parameters that it ran with."""
    jobs: list[str] = []
    submit = InlineExecutor.submit

    def counting(self: InlineExecutor, job: StageJob) -> Any:
        if job.instances.name == "search" and not job.confirm:
            jobs.append(job.code + str(sorted(job.parameters.items())))
        return submit(self, job)

    monkeypatch.setattr(InlineExecutor, "submit", counting)
    return jobs


@pytest.mark.parametrize("limit", [3, 10, 17, 30])
def test_evaluations_stay_inside_their_limit_and_are_used(toy: Toy, ran: list[str], limit: int) -> None:
    toy.propose(Scripted(by_slot([], tunable)))
    report = toy.start(samples=32, evaluations=limit, trials=5, batch=4)
    with toy.ledger() as ledger:
        used = ledger.evaluated(report.run)
        (event,) = ledger.events(report.run, "searched")
    assert used <= limit and len(ran) - 2 <= limit, "the two seeds are free"
    assert report.samples >= min(limit, 6) and f"limit of {limit} evaluations" in str(event.data["ended by"])
    assert toy.resume(report.run).samples == report.samples, "what ended a run is not asked again"


def test_a_run_that_evaluations_end_is_the_same_in_parts_and_by_replay(toy: Toy) -> None:
    toy.propose(Scripted(by_slot([], tunable), paid=True))
    chosen: dict[str, Any] = {"samples": 24, "evaluations": 26, "trials": 5, "batch": 4}
    whole = toy.start(**chosen)
    digest = toy.digest(whole.run)
    report = toy.start(**chosen, stop=After(1), db="parts")
    sittings = 1
    while report.interrupted:
        report = toy.resume(report.run, stop=After(1), db="parts")
        sittings += 1
        assert sittings < 60, "each sitting goes on by a step"
    assert toy.digest(report.run, "parts") == digest
    replayed = engine.start(engine.RunSettings("knapsack", toy.settings(proposer="replay"), replay=whole.run))
    assert toy.digest(replayed.run) == digest
    with toy.ledger() as ledger:
        assert ledger.evaluated(replayed.run) == ledger.evaluated(whole.run) <= 26
        assert len(ledger.studies(whole.run)) < 6, "the limit cut the tuning, or this test shows nothing"


def test_a_budget_that_ended_a_run_is_not_asked_again(toy: Toy) -> None:
    """Stopped between the last batch and the word that the search is over: what was kept back is not given out."""
    toy.propose(Scripted(by_slot([], tunable), paid=True))
    chosen: dict[str, Any] = {"samples": 24, "evaluations": 26, "trials": 5, "batch": 4}
    whole = toy.start(**chosen)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Ledger, "add_event", unless_searched(Ledger.add_event))
        with pytest.raises(KeyboardInterrupt):
            toy.start(**chosen, db="cut")
    with toy.ledger("cut") as ledger:
        run = ledger.runs()[0].id
    assert toy.resume(run, db="cut").samples == whole.samples
    assert toy.digest(run, "cut") == toy.digest(whole.run)


def unless_searched(add: Any) -> Any:
    """``add_event`` of a process that is killed when it wants to say that the search is over."""

    def cut(self: Ledger, run: str | None, kind: str, data: Any = None) -> None:
        if kind == "searched":
            raise KeyboardInterrupt
        add(self, run, kind, data)

    return cut


def test_processor_time_ends_a_run_for_good(toy: Toy) -> None:
    """A thousandth of a minute is used up by the seeds and a batch."""
    toy.propose(Scripted(by_slot([], tunable)))
    report = toy.start(samples=400, cpu_minutes=0.002, batch=4)
    with toy.ledger() as ledger:
        used = [float(str(e.data["cpu_seconds"])) for e in ledger.events(report.run, "time")]
        assert "processor time limit" in str(ledger.events(report.run, "searched")[0].data["ended by"])
    assert 0 < report.samples < 400 and used == sorted(used) and used[-1] > 0
    assert toy.resume(report.run).samples == report.samples


def test_a_control_arm_gets_its_share_of_every_limit(toy: Toy) -> None:
    toy.propose(Scripted(by_slot([], lambda k: density(0.3 + k / 100))))
    report = toy.start(samples=40, evaluations=20, control=0.5, tune=False, batch=4)
    assert report.control is not None
    with toy.ledger() as ledger:
        assert [ledger.evaluated(run) for run in (report.run, report.control.run)] == [10, 10]


# -- the command line and a model behind HTTP --


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[MockServer]:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    with MockServer(delay=0.02) as made:
        yield made


LIMITS = [
    ("--tokens", "9000"), ("--cost", "0.03"),
    *(pytest.param(*limit, marks=pytest.mark.campaign) for limit in (("--evaluations", "14"), ("--samples", "6"))),
]  # fmt: skip


@pytest.mark.parametrize(("flag", "limit"), LIMITS)
def test_no_limit_is_crossed_by_a_run_that_is_killed(
    installed: Path, tmp_path: Path, server: MockServer, flag: str, limit: str
) -> None:
    (tmp_path / "discover.toml").write_text('[prices."mock"]\ninput = 1.0\noutput = 3.0\n')
    words = ["--task", "knapsack", "--model", "mock", "--base-url", server.base_url, "--batch", "3"]
    words += ["--trials", "3", "--max-tokens", "600", "--db", "l.sqlite"]
    words += [flag, limit, *(() if flag == "--samples" else ("--samples", "60"))]
    process = command(installed, tmp_path, "run", *words)
    wait(lambda: len(server.chats) >= 4, process)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    file = tmp_path / "l.sqlite"
    with sqlite3.connect(file) as connection:
        run = connection.execute("SELECT id FROM run").fetchone()[0]
    process = command(installed, tmp_path, "resume", run, "--db", "l.sqlite")
    _, err = process.communicate(timeout=240)
    assert process.returncode == 0, err
    ledger = Ledger.open(file, create=False)
    try:
        spent, evaluated = ledger.spent(run), ledger.evaluated(run)
        ended = str(ledger.events(run, "searched")[0].data["ended by"])
    finally:
        ledger.close()
    used = {
        "--tokens": spent.tokens,
        "--cost": spent.cost,
        "--evaluations": evaluated,
        "--samples": spent.samples,
    }
    assert 0 < used[flag] <= float(limit) and used[flag] > 0.4 * float(limit)
    assert spent.uncounted == spent.unpriced == 0
    assert re.search({"--tokens": "tokens", "--cost": "dollars"}.get(flag, flag[2:]), ended)


def test_replies_without_counts_are_charged_as_the_longest(installed: Path, tmp_path: Path) -> None:
    """A server that tells no usage must not make the limit of tokens mean nothing."""
    with MockServer(fail={"no-usage": 1}) as silent:
        words = [
            "run",
            "--task",
            "knapsack",
            "--model",
            "mock",
            "--base-url",
            silent.base_url,
            "--batch",
            "2",
        ]
        words += [
            "--samples",
            "40",
            "--max-tokens",
            "500",
            "--tokens",
            "12000",
            "--no-tune",
            "--db",
            "l.sqlite",
        ]
        process = command(installed, tmp_path, *words)
        _, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
        assert 1 < len(silent.chats) <= 12_000 // 2_000, "1,500 tokens of prompt and 500 of reply each"
