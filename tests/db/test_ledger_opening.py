"""What may be opened, what is refused with which sentence, and upgrades."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from ledger_samples import RUN, run_record, seeded
from sqlalchemy import create_engine, event, text
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex, CreateTable

import db
from db import engine as engines
from db import errors
from db.errors import (
    LedgerBehind,
    LedgerError,
    LedgerForeign,
    LedgerLocked,
    LedgerMissing,
    LedgerNewer,
    LedgerUnwritable,
)
from db.ledger import Ledger
from db.migrations import REVISIONS, VERSION_TABLE
from db.models import Base
from db.upgrade import MIGRATIONS, config, upgrade

ROOT = Path(db.__file__).parent.parent


def refused(kind: type[LedgerError], where: object, **options: object) -> str:
    with pytest.raises(LedgerError) as caught:
        Ledger.open(where, **options)  # type: ignore[arg-type]
    assert type(caught.value) is kind
    sentence = str(caught.value)
    assert "\n" not in sentence and "Traceback" not in sentence and "sqlalche.me" not in sentence
    return sentence


def test_a_new_ledger_is_made_and_opened_again(path):
    with Ledger.open(path) as ledger:
        seeded(ledger)
    for same in (path, str(path), f"sqlite:///{path}"):
        with Ledger.open(same, create=False) as ledger:
            assert ledger.run(RUN).task == "smtt"


def test_the_settings_of_the_connections(path):
    with Ledger.open(path) as ledger:
        for transaction in (ledger.reading, ledger.writing):
            with transaction() as c:

                def pragma(name: str) -> object:
                    return c.exec_driver_sql(f"PRAGMA {name}").scalar()

                assert pragma("journal_mode") == "wal" and pragma("synchronous") == 2
                assert pragma("foreign_keys") == 1 and pragma("busy_timeout") == 30_000


def test_a_ledger_in_memory_is_one_for_all_threads():
    with Ledger.open("sqlite://") as ledger:
        seeded(ledger)
        with ThreadPoolExecutor(4) as pool:
            assert [r.id for r in pool.map(lambda _: ledger.run(RUN), range(20))] == [RUN] * 20


def test_names_with_odd_characters(tmp_path):
    for name in ("a b%20.db", "q?x=1.db", "ü#.db", "mémoire:x"):
        with Ledger.open(tmp_path / name) as ledger:
            ledger.create_run(run_record())
        assert (tmp_path / name).exists()


def test_a_missing_ledger_is_not_made_unasked(path):
    assert "there is no ledger" in refused(errors.LedgerMissing, path, create=False)
    assert not path.exists()


def test_a_ledger_opened_to_look_at_is_never_written(path):
    with Ledger.open(path) as ledger, Ledger.open(path, readonly=True) as looked:
        seeded(ledger)
        assert [r.id for r in looked.runs()] == [RUN]
        with pytest.raises(LedgerUnwritable):
            looked.set_status(RUN, "done")
    with sqlite3.connect(path) as c:
        c.execute(f"UPDATE {VERSION_TABLE} SET version_num = '0001'")
    assert "discover db upgrade" in refused(LedgerBehind, path, readonly=True)
    with sqlite3.connect(path) as c:
        assert c.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchone() == ("0001",)
    assert "there is no ledger" in refused(LedgerMissing, path.parent / "other", readonly=True)


def test_a_file_that_is_no_database(path):
    path.write_text("import this\n" * 100)
    assert "not a SQLite database" in refused(LedgerForeign, path)
    assert path.read_text() == "import this\n" * 100
    path.write_bytes(b"SQLite format 3\x00" + b"rubbish" * 1000)
    assert "not a SQLite database" in refused(LedgerForeign, path)
    assert "is a folder" in refused(LedgerForeign, path.parent)


def test_an_empty_file_becomes_a_ledger(path):
    path.touch()
    Ledger.open(path).close()
    assert path.stat().st_size > 0


def test_somebody_elses_database_is_left_as_it_was(path):
    with sqlite3.connect(path) as c:
        c.execute("CREATE TABLE notes (x)")
    before = path.read_bytes()
    sentence = refused(LedgerForeign, path)
    assert "notes" in sentence and str(path) in sentence
    assert path.read_bytes() == before
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name]


def test_a_newer_ledger_is_refused(path):
    Ledger.open(path).close()
    with sqlite3.connect(path) as c:
        c.execute(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    assert "9999" in refused(LedgerNewer, path)
    with pytest.raises(LedgerNewer):
        upgrade(path)


def test_a_damaged_ledger_says_so(path):
    with Ledger.open(path) as ledger:
        seeded(ledger)
    with sqlite3.connect(path) as c:
        c.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    whole = path.read_bytes()
    path.write_bytes(whole[:8192] + b"\xff" * (len(whole) - 8192))
    with pytest.raises(LedgerError, match="damaged"), Ledger.open(path) as ledger:
        ledger.runs()


def test_a_missing_folder_and_an_unwritable_one(tmp_path):
    assert "does not exist" in refused(LedgerUnwritable, tmp_path / "none" / "l.sqlite")
    assert not (tmp_path / "none").exists()
    if Path("/proc/self").exists():
        assert "/proc/l.sqlite" in refused(LedgerUnwritable, "/proc/l.sqlite")


@pytest.mark.parametrize("case", ["folder", "file", "closed folder", "closed file"])
def test_permissions(case):
    """Root may write anything, so the opening happens as another user when the tests run as root."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        path = folder / "l.sqlite"
        if case != "folder":
            Ledger.open(path).close()
        modes = {
            "folder": (0o555, None),
            "file": (0o777, 0o444),
            "closed folder": (0o000, None),
            "closed file": (0o777, 0),
        }
        of_folder, of_file = modes[case]
        if of_file is not None:
            path.chmod(of_file)
        folder.chmod(of_folder)
        script = (
            "import os, db.upgrade; from db.ledger import Ledger\n"
            "if os.getuid() == 0: os.setgid(65534); os.setuid(65534)\n"
            f"Ledger.open({str(path)!r}).close()"
        )
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
        folder.chmod(0o777)
        assert done.returncode == 1
        assert "db.errors.LedgerUnwritable: the ledger" in done.stderr.strip().splitlines()[-1], done.stderr


def test_a_locked_ledger(path):
    with Ledger.open(path) as ledger:
        seeded(ledger)
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    try:
        assert "in use by another process" in refused(LedgerLocked, path, busy_timeout=0.05)
        holder.execute("ROLLBACK")
        with Ledger.open(path, busy_timeout=0.05) as ledger:
            holder.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerLocked, match=str(path)):
                ledger.set_status(RUN, "done")
            assert ledger.run(RUN).status == "running"  # reads go on
            holder.execute("ROLLBACK")
            ledger.set_status(RUN, "done")
    finally:
        holder.close()


def test_opening_a_locked_ledger_is_given_up_soon(path, monkeypatch):
    """With the patience of a run it would wait until the other process is done."""
    Ledger.open(path).close()
    monkeypatch.setattr(engines, "OPENING_TIMEOUT", 0.05)
    with locked(path, seconds=3.0):
        assert "in use by another process" in refused(LedgerLocked, path)


def test_whoever_waits_in_the_queue_of_a_locked_ledger_waits_once(path):
    with Ledger.open(path, busy_timeout=1.0) as ledger:
        seeded(ledger)
        begun: list[object] = []
        event.listen(ledger._writer, "begin", lambda c: begun.append(c), insert=True)
        with locked(path, seconds=20.0), ThreadPoolExecutor(6) as pool:
            for future in [pool.submit(ledger.set_status, RUN, "done") for _ in range(6)]:
                assert isinstance(future.exception(), LedgerLocked)
        assert 0 < len(begun) < 3
        ledger.set_status(RUN, "done")


@contextmanager
def locked(path: Path, seconds: float) -> Iterator[None]:
    """Another connection holds the ledger's file, for so long or until the block is left."""
    leave, held = threading.Event(), threading.Event()

    def hold() -> None:
        holder = sqlite3.connect(path, isolation_level=None)
        holder.execute("BEGIN IMMEDIATE")
        held.set()
        leave.wait(seconds)
        holder.close()

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait()
    yield
    leave.set()
    thread.join()


def test_urls_that_are_not_ours():
    assert "mysql" in refused(LedgerError, "mysql://u:secret@h/d")
    sentence = refused(LedgerError, "post gres://u:secret@h/d")
    assert "secret" not in sentence
    unreachable = "postgresql://u:secret@127.0.0.1:1/d"
    assert "secret" not in refused(LedgerError, unreachable)


def test_other_databases_must_be_upgraded_by_hand(path):
    """No PostgreSQL here: an empty SQLite file plays the database that is behind."""
    engine = engines.connect(engines.address(path))
    with pytest.raises(LedgerBehind, match="discover db upgrade"):
        engines.require_head(engine, engines.revision(engine))
    assert upgrade(path) == (None, REVISIONS[-1])
    engines.require_head(engine, engines.revision(engine))
    assert upgrade(path) == (REVISIONS[-1], REVISIONS[-1])
    engine.dispose()


def test_the_migrations_make_the_models(path):
    Ledger.open(path).close()
    engine = create_engine(f"sqlite:///{path}")
    with engine.connect() as c:
        context = MigrationContext.configure(
            c, opts={"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, Base.metadata) == []
        made = dict(c.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).all())
    assert made["parent"].rstrip().endswith("WITHOUT ROWID")
    engine.dispose()


def test_the_schema_compiles_for_postgresql():
    dialect = postgresql.dialect()
    for table in Base.metadata.sorted_tables:
        for statement in (CreateTable(table), *map(CreateIndex, table.indexes)):
            words = str(statement.compile(dialect=dialect))
            assert "ROWID" not in words
    run = str(CreateTable(Base.metadata.tables["entry"]).compile(dialect=dialect))
    assert "BIGSERIAL" in run and "DOUBLE PRECISION" in run


def test_the_list_of_revisions_is_complete():
    script = ScriptDirectory.from_config(config())
    known = [r.revision for r in script.walk_revisions()]
    assert tuple(reversed(known)) == REVISIONS
    assert script.get_heads() == [REVISIONS[-1]]
    assert {p.name for p in MIGRATIONS.iterdir()} >= {"env.py", "script.py.mako", "versions"}


def _fill(path: Path) -> None:
    with Ledger.open(path) as ledger:
        seeded(ledger)


def test_an_upgrade_from_the_base_keeps_what_is_there(path):
    """A database at the base: our version table without a row, and another tool's table with data (the ledger shares
    its file with Optuna's tables when a user wants it so)."""
    with sqlite3.connect(path) as c:
        c.execute(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL PRIMARY KEY)")
        c.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        c.execute("INSERT INTO alembic_version VALUES ('v3.2.0.a')")
    _fill(path)
    with sqlite3.connect(path) as c:
        assert c.execute("SELECT version_num FROM alembic_version").fetchall() == [("v3.2.0.a",)]
        assert c.execute(f"SELECT version_num FROM {VERSION_TABLE}").fetchall() == [(REVISIONS[-1],)]
        assert c.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize("start", REVISIONS)
def test_every_revision_upgrades_with_its_rows(path, start):
    """Rows of an older schema, written without the models, are there after the upgrade."""
    upgrade(path, start)
    with sqlite3.connect(path) as c:
        columns = [(r[1], r[2]) for r in c.execute("PRAGMA table_info(run)")]
        values = {name: 1 if kind in ("INTEGER", "BOOLEAN", "DOUBLE") else "{}" for name, kind in columns}
        values |= {"id": "r-old", "seed": "7", "status": "done", "control_of": None}
        marks = ",".join("?" * len(values))
        c.execute(f"INSERT INTO run ({','.join(values)}) VALUES ({marks})", tuple(values.values()))
    with Ledger.open(path) as ledger:
        assert (ledger.run("r-old").seed, ledger.run("r-old").status) == (7, "done")


def test_a_failed_upgrade_leaves_nothing(path, monkeypatch):
    from alembic import command

    real = command.upgrade

    def broken(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type]
        raise RuntimeError("the lights go out")

    monkeypatch.setattr(command, "upgrade", broken)
    with pytest.raises(RuntimeError):
        Ledger.open(path)
    with sqlite3.connect(path) as c:
        assert c.execute("SELECT name FROM sqlite_master").fetchall() == []
    monkeypatch.undo()
    _fill(path)


def test_many_processes_may_open_a_new_ledger_at_once(path):
    script = (
        "import sys; from db.ledger import Ledger; from ledger_samples import run_record\n"
        f"ledger = Ledger.open({str(path)!r}); ledger.create_run(run_record(sys.argv[1])); ledger.close()"
    )
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{Path(__file__).parent}"}
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, f"r-{i}"], env=environment, stderr=subprocess.PIPE, text=True
        )
        for i in range(6)
    ]
    assert [p.communicate()[1] for p in started] == [""] * 6
    with Ledger.open(path, create=False) as ledger:
        assert {r.id for r in ledger.runs()} == {f"r-{i}" for i in range(6)}


def test_opening_a_current_ledger_does_not_import_alembic(path):
    Ledger.open(path).close()
    script = (
        f"import sys; from db.ledger import Ledger; Ledger.open({str(path)!r}).close(); "
        "bad = [m for m in sys.modules if m.split('.')[0] in "
        "('alembic', 'discovery', 'evaluators', 'searchspaces', 'numpy', 'langgraph', 'optuna')]; assert not bad, bad"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr


def test_every_error_is_a_ledger_error():
    kinds = [v for v in vars(errors).values() if isinstance(v, type) and v.__module__ == "db.errors"]
    assert len(kinds) == 9 and all(issubclass(k, LedgerError) for k in kinds)
