"""Opening a database: what it is, whether it is ours, and transactions with the right locks.

SQLite runs in WAL mode with ``synchronous=FULL``, so a killed process or a power cut loses nothing committed.
Writes begin with BEGIN IMMEDIATE: a transaction that will write waits at its start, never in its middle.
PostgreSQL reads at REPEATABLE READ and writes at READ COMMITTED, behind the locks that each write takes.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, Self

from sqlalchemy import (
    URL,
    Connection,
    Engine,
    Executable,
    Table,
    create_engine,
    event,
    inspect,
    make_url,
    text,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import StaticPool

from db import postgresql as server
from db.errors import (
    LedgerBehind,
    LedgerError,
    LedgerForeign,
    LedgerLocked,
    LedgerMissing,
    LedgerNewer,
    LedgerUnwritable,
    translate,
)
from db.migrations import REVISIONS, VERSION_TABLE

BUSY_TIMEOUT = 30.0
"""Seconds that a statement waits for another process to let the database go."""
OPENING_TIMEOUT = 5.0
"""The same while a ledger is opened: nothing is at stake yet, and somebody waits for the first word."""
_WRITES = "discover_writes"
_MAGIC = b"SQLite format 3\x00"


class Store:
    """An open database. Safe to share between threads: writes take turns, reads run beside them."""

    def __init__(self, engine: Engine, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._writer = engine.execution_options(**{_WRITES: True})
        self._reader = engine
        if engine.dialect.name == "postgresql":
            self._reader = engine.execution_options(isolation_level="REPEATABLE READ")
        self._clock = clock
        self._lock = threading.RLock()
        self._one_connection = isinstance(engine.pool, StaticPool)
        self.where = name_of(engine.url)
        self._given_up = 0.0
        """When a wait for another process was last given up."""

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A write transaction: committed at the end, rolled back by an exception. Not to be nested.
        Raises LedgerError for the database's own failures."""
        asked = time.monotonic()
        with self._lock:
            if asked < self._given_up:  # it has waited as long as the one before it, in the same queue
                raise translate("database is locked", self.where)
            try:
                with translated(self.where), self._writer.begin() as connection:
                    yield connection
            except LedgerLocked:
                self._given_up = time.monotonic()
                raise

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A read transaction: one consistent state, whatever is written meanwhile."""
        lock = self._lock if self._one_connection else nullcontext()
        with lock, translated(self.where), self._reader.connect() as connection:
            yield connection

    def prepare_file(self) -> None:
        """Switch the SQLite file to WAL, which it remembers, and prove that it can be written. Raises LedgerError."""
        with translated(self.where), self._engine.connect() as connection:
            driver = connection.connection.driver_connection
            assert isinstance(driver, sqlite3.Connection)
            (patience,) = driver.execute("PRAGMA busy_timeout").fetchone()
            driver.execute(f"PRAGMA busy_timeout={min(patience, int(OPENING_TIMEOUT * 1000))}")
            if driver.execute("PRAGMA journal_mode").fetchone() != ("wal",):
                _switch_to_wal(driver)
            # BEGIN IMMEDIATE alone succeeds on a read-only file, so a write is tried and rolled back.
            driver.execute("BEGIN IMMEDIATE")
            driver.execute(f"UPDATE {VERSION_TABLE} SET version_num = version_num")
            driver.execute("ROLLBACK")
            driver.execute(f"PRAGMA busy_timeout={patience}")

    def close(self) -> None:
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn the driver's errors into the ledger's; programming errors (IntegrityError, ...) stay what they are."""
    try:
        yield
    except DBAPIError as error:
        refused = getattr(error.orig, "sqlstate", None) == server.NOT_ALLOWED
        if not refused and type(error).__name__ not in ("OperationalError", "DatabaseError", "InternalError"):
            raise
        explain = translate if isinstance(error.orig, sqlite3.Error) else server.explain
        raise explain(error.orig or error, where) from error
    except sqlite3.DatabaseError as error:  # from a pragma, which does not pass through SQLAlchemy
        raise translate(error, where) from error


def name_of(url: URL) -> str:
    """A database as sentences name it: the path of a file, else the URL without password and query."""
    path = file_of(url)
    return str(path) if path is not None else url.set(query={}).render_as_string(hide_password=True)


def address(url_or_path: str | Path) -> URL:
    """The URL of a path or a URL. Raises LedgerError for anything but SQLite and PostgreSQL."""
    if isinstance(url_or_path, Path) or "://" not in url_or_path:
        return URL.create("sqlite", database=str(Path(url_or_path).expanduser()))
    try:
        url = make_url(url_or_path)
    except (ArgumentError, ValueError) as error:
        raise LedgerError(
            "the database URL cannot be read; write sqlite:///file or postgresql://host/name"
        ) from error
    kind = url.get_backend_name()
    if kind in ("postgres", "postgresql"):
        if "@" in (url.host or ""):
            raise LedgerError("the database URL has an @ too many; write those of the password as %40")
        return url.set(
            drivername="postgresql"
        )  # whatever driver it names: ours is psycopg, SQLAlchemy's default
    if kind != "sqlite":
        raise LedgerError(f"{kind} databases are not supported; use sqlite or postgresql")
    return url


def connect(url: URL, busy_timeout: float = BUSY_TIMEOUT, *, readonly: bool = False) -> Engine:
    """An engine with our settings; touches nothing yet. ``readonly`` lets the database itself refuse every write.
    Raises LedgerError when the driver is missing."""
    options: dict[str, Any] = {"pool_size": 16, "max_overflow": 16}
    if in_memory(url):
        options = {"poolclass": StaticPool, "connect_args": {"check_same_thread": False}}
    elif url.get_backend_name() == "postgresql":
        options |= server.ENGINE
    try:
        engine = create_engine(url, **options)
    except ImportError as error:  # without the package, or without libpq for it
        raise LedgerError(server.EXTRA) from error
    if engine.dialect.name == "sqlite":
        _set_up_sqlite(engine, busy_timeout, readonly)
    elif readonly:
        engine = engine.execution_options(postgresql_readonly=True)
    return engine


def in_memory(url: URL) -> bool:
    return url.get_backend_name() == "sqlite" and url.database in (None, "", ":memory:")


def file_of(url: URL) -> Path | None:
    """The file of a SQLite URL; None for one in memory and for other databases."""
    if url.get_backend_name() != "sqlite" or in_memory(url):
        return None
    return Path(str(url.database))


def _switch_to_wal(driver: sqlite3.Connection) -> None:
    """SQLite does not wait for this lock, so that two processes which open a new ledger at once must try again."""
    deadline = time.monotonic() + driver.execute("PRAGMA busy_timeout").fetchone()[0] / 1000
    while True:
        try:
            driver.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _set_up_sqlite(engine: Engine, busy_timeout: float, readonly: bool) -> None:
    @event.listens_for(engine, "connect")
    def _connected(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # the driver must not begin transactions of its own
        connection.execute(f"PRAGMA busy_timeout={int(busy_timeout * 1000)}")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=FULL")
        if readonly:
            connection.execute("PRAGMA query_only=ON")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def check_file(path: Path, create: bool) -> None:
    """Refuse what cannot be our file before anything is written to it.

    Raises LedgerMissing, LedgerUnwritable, LedgerForeign."""
    try:
        if path.is_dir():
            raise LedgerForeign(f"{path} is a folder; name a file in it for the ledger")
        if not create and not path.exists():
            raise LedgerMissing(f"there is no ledger {path}; `discover run` makes one, --db names another")
        if not path.parent.is_dir():
            raise LedgerUnwritable(
                f"the folder {path.parent} does not exist; create it or name another place with --db"
            )
        if not path.exists():
            return
        with path.open("rb") as file:
            head = file.read(len(_MAGIC))
    except OSError as error:
        raise LedgerUnwritable(
            f"the ledger {path} cannot be read ({error.strerror}); check its permissions"
        ) from error
    if head and head != _MAGIC:
        raise LedgerForeign(f"{path} is not a SQLite database; name another file")


def revision(engine: Engine) -> str | None:
    """The revision a database is at, None when it is empty. Never writes.

    Raises LedgerForeign for a SQLite file with tables but without our version table, LedgerNewer for a revision
    that this version of the package does not know."""
    where = name_of(engine.url)
    with translated(where), engine.connect() as connection:
        found = revision_of(connection)
        if found is None and engine.dialect.name == "sqlite":
            tables = inspect(connection).get_table_names()
            if tables and VERSION_TABLE not in tables:
                raise LedgerForeign(
                    f"{where} holds other tables ({tables[0]}, …) and no ledger; name another file"
                )
    if found is not None and found not in REVISIONS:
        raise LedgerNewer(
            f"the ledger {where} was written by a newer version (schema {found}); upgrade discover"
        )
    return found


def revision_of(connection: Connection) -> str | None:
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    return found


def require_head(engine: Engine, found: str | None) -> None:
    """Raises LedgerBehind unless the database is at the newest revision."""
    if found != REVISIONS[-1]:
        where = name_of(engine.url)
        raise LedgerBehind(f"the ledger {where} is at schema {found or 'none'}, this version needs {REVISIONS[-1]}; "
                           "run `discover db upgrade`")  # fmt: skip


def insert_new(connection: Connection, table: Table, row: dict[str, object]) -> bool:
    """Insert a row unless one with its key exists, also against other processes. True if it was inserted."""
    return connection.execute(_insert_new(connection.dialect.name, table), row).rowcount == 1


def put_rows(connection: Connection, table: Table, rows: list[dict[str, object]]) -> None:
    """Insert rows; one whose primary key is there takes that row's place."""
    connection.execute(_put(connection.dialect.name, table), rows)


@cache
def _put(dialect: str, table: Table) -> Executable:
    insert = (sqlite.insert if dialect == "sqlite" else postgresql.insert)(table)
    new = {c.name: insert.excluded[c.name] for c in table.c if not c.primary_key}
    return insert.on_conflict_do_update(index_elements=table.primary_key.columns, set_=new)


@cache
def _insert_new(dialect: str, table: Table) -> Executable:
    insert = sqlite.insert if dialect == "sqlite" else postgresql.insert
    return insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
