"""Where the graph of a run keeps its place: a file of its own beside a SQLite ledger, or PostgreSQL's tables.

Only the newest checkpoints are kept; what a run has found lives in the ledger alone.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL

from db import postgresql
from db.engine import address, file_of, name_of
from db.holding import FOLDER
from discovery.errors import EnvironmentProblem

# Read once, when langgraph is imported: checkpoints are then plain data, never objects.
os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite import SqliteSaver

if TYPE_CHECKING:
    from psycopg import Connection

CHECKPOINTS_KEPT = 2
Saver = BaseCheckpointSaver[Any]


@contextmanager
def checkpoints(db: str, run: str) -> Iterator[Saver]:
    """The checkpointer of one run of the ledger ``db``; its ``prune`` deletes all but the latest checkpoints of a
    thread. Raises EnvironmentProblem when it cannot be opened, LedgerError when a server fails under way."""
    url = address(db)
    if url.get_backend_name() == "postgresql":
        with _on_server(url) as saver:
            yield saver
        return
    path = file_of(url)
    folder = path.parent if path is not None else Path(".discover")
    with _in_file(folder / FOLDER / f"{run}.sqlite") as saver:
        yield saver


def prepare(db: str) -> None:
    """Make the tables of checkpoints where they live in the ledger's database, as `discover db upgrade` does: a run may
    then be started by a user who may make none. Raises LedgerError and EnvironmentProblem."""
    url = address(db)
    if url.get_backend_name() == "postgresql":
        with _on_server(url):
            pass


class FileSaver(SqliteSaver):
    """Keeps the latest checkpoints only, in a file."""

    def prune(self, thread_ids: Sequence[str], *, strategy: str = "keep_latest") -> None:
        assert strategy == "keep_latest"
        with self.lock:
            for thread in thread_ids:
                for table in ("checkpoints", "writes"):
                    self.conn.execute(
                        f"DELETE FROM {table} WHERE thread_id = ? AND checkpoint_id NOT IN (SELECT checkpoint_id FROM "
                        "checkpoints WHERE thread_id = ? ORDER BY checkpoint_id DESC LIMIT ?)",
                        (thread, thread, CHECKPOINTS_KEPT),
                    )
            self.conn.commit()


@contextmanager
def _in_file(path: Path) -> Iterator[Saver]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, check_same_thread=False)
        saver = FileSaver(connection)
        saver.setup()
    except (OSError, sqlite3.Error) as error:
        raise EnvironmentProblem(f"the checkpoints of the run cannot be opened at {path}: {error}") from error
    try:
        yield saver
    finally:
        connection.close()


@contextmanager
def _on_server(url: URL) -> Iterator[Saver]:
    try:
        import psycopg
        from langgraph.checkpoint.postgres import PostgresSaver
        from psycopg.rows import dict_row
    except ImportError:
        raise EnvironmentProblem(postgresql.EXTRA) from None
    _, words = url.get_dialect()().create_connect_args(url)
    try:
        with psycopg.connect(
            **{**postgresql.CONNECTING, **words}, autocommit=True, prepare_threshold=0, row_factory=dict_row
        ) as connection:
            saver = PostgresSaver(connection)
            _set_up(saver, connection)
            yield saver
    except psycopg.Error as error:
        raise postgresql.explain(error, name_of(url)) from error


def _set_up(saver: Any, connection: Connection[Any]) -> None:
    """Bring the tables of checkpoints to this version's state, one process at a time."""
    newest = len(saver.MIGRATIONS) - 1
    if _state(connection) >= newest:
        return
    # Asked again and again, not waited for: an index that is built concurrently waits for everybody who waits.
    while not _asked(connection, "SELECT pg_try_advisory_lock(%s)", postgresql.MIGRATING):
        time.sleep(0.05)
    try:
        saver.setup()
    finally:
        _asked(connection, "SELECT pg_advisory_unlock(%s)", postgresql.MIGRATING)


def _state(connection: Connection[Any]) -> int:
    """The newest migration of the tables of checkpoints; -1 where there are none."""
    if _asked(connection, "SELECT to_regclass('checkpoint_migrations')") is None:
        return -1
    found = _asked(connection, "SELECT max(v) FROM checkpoint_migrations")
    return -1 if found is None else int(found)


def _asked(connection: Connection[Any], question: str, *values: object) -> Any:
    """The one value that a statement gives."""
    row = connection.execute(question, values).fetchone()
    return None if row is None else next(iter(row.values()))
