"""Runs that are stopped, break or are killed anywhere: resumed, they end like the undisturbed one."""

from __future__ import annotations

import itertools
import re
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from langgraph.checkpoint.base import id as ids
from langgraph.pregel import Pregel
from toy.loop import TOKENS, Scripted, Toy, announced, by_slot, density, rule

from db.ledger import Ledger
from discovery import graph
from discovery.campaign import Campaign
from discovery.checkpoints import CHECKPOINTS_KEPT, FileSaver
from discovery.errors import EnvironmentProblem
from discovery.execution.base import Executor, StageJob
from discovery.execution.local import InlineExecutor
from discovery.progress import StopSignal
from discovery.proposers.base import ProposerUnavailable, Request

SPACE = 'SEARCH_SPACE = {"power": {"low": 0.0, "high": 2.0}}'
REPLIES = [
    rule("return weights / volumes ** power", keywords="power=0.1", head=SPACE),
    density(0.4),
    "nothing",
    rule("return [1 / 0]"),
    rule("return weights / volumes ** power + 1", keywords="power=0.2", head=SPACE),
    density(0.4),
    density(0.95),
    rule("return -weights"),
    density(0.6),
]
SHAPE: dict[str, Any] = {"samples": 9, "batch": 3, "trials": 3}
"""Three batches."""


class After(StopSignal):
    """Asks to stop once it has been looked at ``looks`` times."""

    def __init__(self, looks: int) -> None:
        super().__init__()
        self.left = looks

    @property
    def finishing(self) -> bool:
        self.left -= 1
        return self.left < 0


class Crash(Exception):
    """The process would have died here."""


@pytest.fixture
def proposer(toy: Toy) -> Scripted:
    made = Scripted(by_slot(REPLIES), paid=True)
    toy.propose(made)
    return made


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, bag_executor: Executor) -> str:
    """The digest of the run that nothing happens to."""
    folder = tmp_path_factory.mktemp("undisturbed")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(announced(folder / "site")))
        toy = Toy(folder, patch, bag_executor)
        toy.propose(Scripted(by_slot(REPLIES), paid=True))
        return toy.digest(toy.start(**SHAPE).run)


def test_stopped_after_every_step_it_ends_the_same(toy: Toy, proposer: Scripted, undisturbed: str) -> None:
    """One run in as many sittings as it has steps."""
    report, sittings = toy.start(stop=After(1), **SHAPE), 1
    while report.interrupted:
        with toy.ledger() as ledger:
            assert ledger.run(report.run).status == "interrupted"
        report, sittings = toy.resume(report.run, stop=After(1)), sittings + 1
        assert sittings < 40
    assert report.status == "done" and sittings >= 6
    assert toy.digest(report.run) == undisturbed
    assert max(Counter(proposer.keys).values()) == 1, "no request is sent twice"
    assert len(proposer.keys) == 10


def test_left_and_entered_again_after_every_batch_it_ends_the_same(
    toy: Toy, proposer: Scripted, undisturbed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever langgraph gathers while a graph runs is gone when it is left; a long run leaves it now and then."""
    entered, stream = [], Pregel.stream
    monkeypatch.setattr(
        Pregel,
        "stream",
        lambda self, *given, **more: [entered.append(given[0]), stream(self, *given, **more)][1],
    )
    monkeypatch.setattr(graph, "STRETCH", 1)
    report = toy.start(**SHAPE)
    assert report.status == "done" and toy.digest(report.run) == undisturbed
    assert [given is None for given in entered] == [False, True, True]
    assert max(Counter(proposer.keys).values()) == 1


def broken(name: str) -> Callable[[pytest.MonkeyPatch, int], None]:
    """Makes call number ``nth`` of a method fail, before or after its work."""
    owner: Any
    where, when = name.split()
    owner, method = {
        "slot": (Campaign, "slot"),
        "evaluated": (Campaign, "evaluated"),
        "tuned": (Campaign, "tuned"),
        "integrate": (Campaign, "integrate"),
        "transaction": (Ledger, "integrate"),
        "reply": (Ledger, "record_reply"),
        "trial": (Ledger, "add_trial"),
        "evaluation": (Ledger, "store_evaluation"),
        "prune": (FileSaver, "prune"),
        "checkpoint": (FileSaver, "put"),
        "writes": (FileSaver, "put_writes"),
    }[where]

    def patch(monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
        work, calls = getattr(owner, method), itertools.count(1)

        def failing(*args: Any, **more: Any) -> Any:
            number = next(calls)
            if number == nth and when == "before":
                raise Crash
            found = work(*args, **more)
            if number == nth:
                raise Crash
            return found

        monkeypatch.setattr(owner, method, failing)

    return patch


@pytest.mark.parametrize(
    ("where", "nth"),
    [
        ("slot before", 5),
        ("evaluated after", 2),
        ("tuned after", 1),
        ("integrate before", 2),
        ("transaction before", 1),
        ("transaction after", 1),
        ("transaction after", 3),
        ("reply before", 3),
        ("reply after", 8),
        ("trial after", 2),
        ("evaluation after", 9),
        ("prune before", 1),
        *((f"checkpoint {when}", nth) for when in ("before", "after") for nth in (1, 2, 3)),
        *((f"writes {when}", nth) for when in ("before", "after") for nth in (1, 2, 4)),
    ],
)
def test_broken_anywhere_it_ends_the_same(
    toy: Toy, proposer: Scripted, undisturbed: str, where: str, nth: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        broken(where)(patch, nth)
        with pytest.raises(Crash):
            toy.start(**SHAPE)
    with toy.ledger() as ledger:
        (record,) = ledger.runs()
        unanswered = sum(p.state == "intent" for p in ledger.proposals(record.id))
    assert record.status == "interrupted" and "Crash" in record.reason
    report = toy.resume(record.id)
    assert report.status == "done" and toy.digest(report.run) == undisturbed
    again = Counter(proposer.keys)
    assert sum(again.values()) - len(again) <= unanswered, "only what was in flight is asked again"
    with toy.ledger() as ledger:
        assert ledger.spent(report.run).repeated == unanswered


def test_kept_trials_are_told_again_and_not_run_again(
    toy: Toy, proposer: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Equal scores would hide it in the digest; what it costs is processor time."""
    ran: list[tuple[str, object]] = []
    submit = InlineExecutor.submit

    def counting(self: InlineExecutor, job: StageJob) -> Any:
        if job.parameters:
            ran.append((job.code, tuple(job.parameters.items())))
        return submit(self, job)

    monkeypatch.setattr(InlineExecutor, "submit", counting)
    toy.start(**SHAPE, db="whole")
    whole = list(ran)
    ran.clear()
    with pytest.MonkeyPatch.context() as patch:
        broken("trial after")(patch, 2)
        with pytest.raises(Crash):
            toy.start(**SHAPE)
    with toy.ledger() as ledger:
        run = ledger.runs()[0].id
        assert len(ledger.trials(ledger.studies(run)[0].id)) == 2
    assert toy.resume(run).status == "done" and proposer.keys
    assert len(whole) >= 2 and sorted(ran, key=str) == sorted(whole, key=str)


def test_checkpoints_hold_two_counters_and_stay_few(
    toy: Toy, proposer: Scripted, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[int] = []
    prune = FileSaver.prune

    def counting(saver: Any, threads: list[str]) -> None:
        prune(saver, threads)
        kept.append(saver.conn.execute("SELECT count(*) FROM checkpoints").fetchone()[0])

    monkeypatch.setattr(FileSaver, "prune", counting)
    report = toy.start(**SHAPE)
    assert kept == [CHECKPOINTS_KEPT] * 4, "after each of three batches, and at the end"
    assert toy.checkpoints(report.run) <= CHECKPOINTS_KEPT
    connection = sqlite3.connect(toy.folder / "checkpoints" / f"{report.run}.sqlite")
    rows = connection.execute("SELECT checkpoint FROM checkpoints").fetchall()
    connection.close()
    for (blob,) in rows:
        assert b"rank(" not in blob and b"cycle" in blob and len(blob) < 2000
    assert proposer.keys, "the run asked"


def test_the_clock_may_be_moved_back_between_sittings(
    toy: Toy, proposer: Scripted, undisturbed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids of checkpoints begin with the wall clock; the newest by id is still the last one that was written."""
    report, now = toy.start(stop=After(2), **SHAPE), time.time_ns
    for hours in range(1, 4):
        monkeypatch.setattr(time, "time_ns", lambda hours=hours: now() - hours * 3600 * 10**9)
        monkeypatch.setattr(ids, "_last_v6_timestamp", None)  # as in another process
        report = toy.resume(report.run, stop=After(3))
        connection = sqlite3.connect(toy.folder / "checkpoints" / f"{report.run}.sqlite")
        rows = connection.execute(
            "SELECT metadata ->> 'step' FROM checkpoints ORDER BY checkpoint_id"
        ).fetchall()
        connection.close()
        assert len(rows) > 1 and rows == sorted(rows, key=lambda row: int(row[0])), rows
    assert toy.digest(toy.resume(report.run).run) == undisturbed and proposer.keys


def test_a_lost_checkpoint_file_is_no_loss(toy: Toy, proposer: Scripted, undisturbed: str) -> None:
    """The ledger is the only memory: without checkpoints the run goes on after its last batch."""
    report = toy.start(stop=After(5), **SHAPE)
    assert report.interrupted
    (toy.folder / "checkpoints" / f"{report.run}.sqlite").unlink()
    done = toy.resume(report.run)
    assert done.status == "done" and toy.digest(report.run) == undisturbed
    assert max(Counter(proposer.keys).values()) == 1


def test_an_endpoint_that_goes_away_ends_a_sitting(toy: Toy, undisturbed: str) -> None:
    def away(request: Request) -> str | Exception:
        return ProposerUnavailable("no connection") if request.slot >= 4 else by_slot(REPLIES)(request)

    toy.propose(Scripted(away, paid=True))
    with pytest.raises(
        EnvironmentProblem, match=r"no connection \(run r-\w+ is kept; `discover resume r-"
    ) as told:
        toy.start(**SHAPE)
    run = re.search(r"r-\w+", str(told.value))
    assert run is not None
    toy.propose(Scripted(by_slot(REPLIES), paid=True))
    assert toy.resume(run[0]).status == "done" and toy.digest(run[0]) == undisturbed


def test_a_budget_ends_the_search_early_and_keeps_what_was_paid(toy: Toy, proposer: Scripted) -> None:
    """Fifteen tokens a request: a batch is given out as far as its longest replies fit, and then the search is over."""
    report = toy.start(**SHAPE, tokens=100)
    asked = len(proposer.keys)
    assert report.status == "done" and 0 < report.samples < SHAPE["samples"]
    assert 100 - 2 * TOKENS < report.tokens == TOKENS * asked <= 100
    with toy.ledger() as ledger:
        assert "limit of 100 tokens" in str(ledger.events(report.run, "searched")[0].data["ended by"])
    again = toy.resume(report.run)
    assert again.samples == report.samples and len(proposer.keys) == asked
    digest = toy.digest(report.run)
    assert toy.digest(toy.start(**SHAPE, tokens=100).run) == digest, "what fits depends on replies alone"


def test_a_repair_that_the_budget_did_not_allow_is_not_made_up_for_on_resume(toy: Toy) -> None:
    """The second batch has room for its first requests only; stopped right after it was proposed, it stays so."""
    good = by_slot([density(0.3), density(0.4), density(0.5)], default=lambda _: "no code at all")

    def run(stop: StopSignal | None, db: str) -> tuple[str, Scripted]:
        proposer = Scripted(good)
        toy.propose(proposer)
        report = toy.start(samples=6, batch=3, tokens=6 * TOKENS, stop=stop, db=db)
        while report.interrupted:
            report = toy.resume(report.run, db=db)
        assert report.tokens <= 6 * TOKENS
        return toy.digest(report.run, db), proposer

    whole, asked = run(None, "whole")
    for steps in (3, 4, 5):
        parts, again = run(After(steps), f"parts{steps}")
        assert (parts, sorted(again.keys)) == (whole, sorted(asked.keys)), steps


def test_a_finished_run_only_tells_its_report_again(toy: Toy, proposer: Scripted) -> None:
    report = toy.start(**SHAPE)
    asked, digest = len(proposer.keys), toy.digest(report.run)
    again = toy.resume(report.run)
    assert (again.best, again.failures, again.samples) == (report.best, report.failures, report.samples)
    assert len(proposer.keys) == asked and toy.digest(report.run) == digest
