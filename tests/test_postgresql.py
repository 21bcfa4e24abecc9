"""Whole runs, their holds and what goes wrong, on a real PostgreSQL server."""

from __future__ import annotations

import re
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from loop_processes import command, wait
from postgres import IN_URL, PASSWORD, Server, free_port
from sqlalchemy import URL
from toy.loop import Toy

import discovery.run as engine
from db.engine import address, name_of
from db.errors import LedgerError, LedgerForeign, LedgerUnwritable
from db.ledger import Ledger
from db.migrations import REVISIONS, VERSION_TABLE
from db.records import CandidateText, EvaluationRecord, RunRecord
from db.upgrade import upgrade
from discovery.campaign import Campaign
from discovery.checkpoints import CHECKPOINTS_KEPT, checkpoints, prepare
from discovery.cli.main import main
from discovery.config import RunSettings, masked
from discovery.review.names import seen

GENETIC = ["--task", "knapsack", "--samples", "8", "--batch", "4", "--islands", "2", "--archive", "4",
           "--trials", "4", "--executor", "inline", "--option", "gate=fixed"]  # fmt: skip


def refused(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    """The one sentence that a command ends with, and 3."""
    with pytest.raises(SystemExit) as ended:
        main(list(words))
    told = capsys.readouterr()
    assert ended.value.code == 3 and told.out == "" and "Traceback" not in told.err, told.err
    assert told.err.count("\n") == 1 and told.err.startswith("discover: "), told.err
    assert PASSWORD not in told.err and IN_URL not in told.err
    return told.err


@pytest.mark.parametrize(
    "case, sentence",
    [
        ("password", "PGPASSWORD"),
        ("role", "refuses the user or the password"),
        ("database", "there is no database .*discover db upgrade"),
        ("empty", "schema none, .*discover db upgrade"),
        ("old", "schema 0001, .*discover db upgrade"),
        ("newer", "upgrade discover"),
        ("port", "does not answer .*check the address"),
        ("host", "does not answer .*check the address"),
    ],
)
def test_what_cannot_be_opened_is_one_sentence(
    postgresql: Server, capsys: pytest.CaptureFixture[str], case: str, sentence: str
) -> None:
    there = address(postgresql.url())
    url: str | URL = {
        "password": there.set(password="hunter3"),
        "role": there.set(username="nobody"),
        "database": there.set(database="nowhere"),
        "port": there.set(port=free_port()),
        "host": there.set(host="no-such-host.invalid"),
    }.get(case, "")
    if case in ("empty", "old", "newer"):
        url = postgresql.database()
    if case == "old":
        upgrade(str(url), "0001")
    if case == "newer":
        postgresql.sql(f"CREATE TABLE {VERSION_TABLE} AS SELECT '9999' AS version_num", address(url).database)
    text = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    said = refused(capsys, "runs", "--db", text)
    assert re.search(sentence, said), said
    assert "hunter3" not in said


def test_addresses_hide_what_is_secret() -> None:
    told = "postgresql://me:***@h/d"
    assert name_of(address("postgres://me:secret@h/d?sslpassword=secret&password=secret")) == told
    assert "secret" not in masked("postgresql://h/d?sslmode=require&password=secret&user=me")
    assert str(address("postgresql+asyncpg://h/d").get_dialect().driver) == "psycopg"
    for text in ("postgresql://me:wo@rd@h/d", "postgresql://h:port/d"):
        with pytest.raises(LedgerError) as error:
            address(text)
        assert "rd@" not in str(error.value)


def test_the_schema_is_made_once_by_many(postgresql: Server) -> None:
    """Several processes may bring one database to the newest schema at once."""
    url = postgresql.database()

    def bring(_: int) -> str | None:
        before, after = upgrade(url)
        prepare(url)
        assert after == REVISIONS[-1]
        return before

    with ThreadPoolExecutor(4) as pool:
        assert set(pool.map(bring, range(4))) <= {None, REVISIONS[-1]}
    with Ledger.open(url) as ledger:
        assert ledger.runs() == ()


def test_tables_of_others_are_left_alone(postgresql: Server) -> None:
    url = postgresql.database()
    postgresql.sql("CREATE TABLE run (mine int)", address(url).database or "")
    with pytest.raises(LedgerForeign, match="'run' of something else"):
        upgrade(url)


def test_two_that_store_the_same_at_once_agree(pg_url: str) -> None:
    """Two runs find the same candidate: one inserts, the other extends or keeps, none fails."""
    text = CandidateText("c" * 64, "x = 1", 1)
    short = EvaluationRecord(
        candidate=text.hash, set_digest="d", set_name="search", set_size=4, evaluator_version="1", isolated=True,
        outcome="stopped", reason="", scores=(1.0, 2.0), values=(1.0, 2.0), cpu=(0.1, 0.1), answers_digest="a",
        answers=None, output=None,
    )  # fmt: skip
    whole = replace(
        short, outcome="scored", scores=(1.0, 2.0, 3.0, 4.0), values=(1.0,) * 2 + (3.0, 4.0), cpu=(0.1,) * 4
    )
    whole = replace(whole, values=(1.0, 2.0, 3.0, 4.0))
    with Ledger.open(pg_url) as one, Ledger.open(pg_url) as other:
        for k in range(20):
            both = threading.Barrier(2)
            new = replace(text, hash=f"{k:064x}")
            one.put_candidate(new.hash, new.code, 1)

            def store(ledger: Ledger, hash_: str = new.hash, both: threading.Barrier = both) -> object:
                both.wait()
                return ledger.store_evaluation(replace(short, candidate=hash_))

            with ThreadPoolExecutor(2) as pool:
                first, second = pool.map(store, (one, other))
            assert first == second
            assert one.store_evaluation(replace(whole, candidate=new.hash)).m == 4


def sample_run() -> RunRecord:
    return RunRecord("r-1", "t", {}, {}, 1, "1", {}, {}, True, {})


def test_a_hold_is_one_processs_and_ends_with_its_session(postgresql: Server, pg_url: str) -> None:
    with Ledger.open(pg_url) as one, Ledger.open(pg_url) as other:
        one.create_run(sample_run())
        assert other.abandoned("r-1")
        with one.holding("r-1"):
            assert not other.abandoned("r-1")
            with pytest.raises(LedgerError, match="another process works on run r-1"), other.holding("r-1"):
                raise AssertionError
            with other.holding("r-2"):
                pass
            postgresql.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'discover'"
            )
            assert other.abandoned("r-1"), "the session is gone, and a lost connection is made anew"
            with other.holding("r-1"):
                pass
        with other.holding("r-1"):
            pass


def test_runs_of_several_processes_share_a_database(
    installed: Path, toy: Toy, pg_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two at once, killed while they search, shown as interrupted, held by one at a time, and ended like others."""
    words = ["run", *GENETIC, "--db", pg_url]
    running = [command(installed, toy.folder, *words, "--seed", seed) for seed in ("1", "2")]
    with Ledger.open(pg_url) as ledger:
        for process in running:
            wait(lambda: all(_searching(ledger, 2)), process)
            process.send_signal(signal.SIGSTOP)  # it cannot end before it is killed
        held = ledger.runs()[0].id
        assert "another process works" in refused(capsys, "resume", held, "--db", pg_url, "--quiet")
        for process in running:
            process.kill()
            process.communicate()
        wait(
            lambda: {seen(ledger, r.id).status for r in ledger.runs()} == {"interrupted"}
        )  # the server's turn
        for record in ledger.runs():
            report = engine.resume(pg_url, record.id)
            assert report.status == "done" and seen(ledger, record.id).status == "done"
            chosen = replace(toy.settings(db=f"seed{record.seed}"), seed=record.seed)
            here = engine.start(RunSettings("knapsack", chosen))
            assert toy.digest(here.run, f"seed{record.seed}") == ledger.digest(record.id)
            with checkpoints(pg_url, record.id) as saver:
                kept = list(saver.list({"configurable": {"thread_id": record.id}}))
            assert 1 <= len(kept) <= CHECKPOINTS_KEPT + 4


def test_a_connection_that_is_lost_ends_a_run_that_can_go_on(
    postgresql: Server,
    toy: Toy,
    pg_url: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As when the server is restarted under a run."""
    integrate, cut = Campaign.integrate, []

    def cutting(campaign: Campaign, *words: float) -> None:
        integrate(campaign, *words)  # type: ignore[arg-type]
        if not cut:
            cut.append(campaign.run)
            postgresql.sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'discover' "
                f"AND datname = '{address(pg_url).database}'"
            )

    monkeypatch.setattr(Campaign, "integrate", cutting)
    said = refused(capsys, "run", *GENETIC, "--db", pg_url, "--quiet")
    assert "was lost" in said and "discover resume" in said
    with Ledger.open(pg_url) as ledger:
        (record,) = ledger.runs()
        assert record.status == "interrupted" and record.batches_done == 0
        assert engine.resume(pg_url, record.id).status == "done"
        here = engine.start(RunSettings("knapsack", toy.settings()))
        assert ledger.digest(record.id) == toy.digest(here.run)


@pytest.mark.campaign
def test_a_user_who_may_make_no_tables_may_run(postgresql: Server, toy: Toy, pg_url: str) -> None:
    """After `discover db upgrade` by another one, with the rights that docs/cluster.md names."""
    name = address(pg_url).database or ""
    postgresql.sql("CREATE ROLE worker LOGIN PASSWORD 'w'")
    postgresql.sql("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO worker", name)
    postgresql.sql("GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO worker", name)
    url = address(pg_url).set(username="worker", password="w").render_as_string(hide_password=False)
    assert engine.start(RunSettings("knapsack", replace(toy.settings(), db=url))).status == "done"
    empty = address(postgresql.database()).set(username="worker", password="w")
    with pytest.raises(LedgerUnwritable, match="check the user's rights"):
        upgrade(empty.render_as_string(hide_password=False))


def _searching(ledger: Ledger, count: int) -> list[bool]:
    """For each of ``count`` runs whether it has got as far as its search, or further."""
    runs = ledger.runs()
    return [k < len(runs) and bool(ledger.proposals(runs[k].id)) for k in range(count)]
