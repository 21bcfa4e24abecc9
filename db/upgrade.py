"""Bringing a database to the newest schema."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine, inspect, text

from db import engine as engines
from db.errors import LedgerForeign
from db.migrations import REVISIONS
from db.models import Base
from db.postgresql import MIGRATING

MIGRATIONS = Path(__file__).parent / "migrations"


def config(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without a file."""
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    made.attributes["connection"] = connection
    return made


def upgrade(url_or_path: str | Path, target: str = REVISIONS[-1]) -> tuple[str | None, str]:
    """Upgrade a database; returns the revisions before and after. Raises LedgerError."""
    url = engines.address(url_or_path)
    path = engines.file_of(url)
    if path is not None:
        engines.check_file(path, create=True)
    engine = engines.connect(url)
    try:
        return upgrade_engine(engine, target)
    finally:
        engine.dispose()


def upgrade_engine(engine: Engine, target: str = REVISIONS[-1]) -> tuple[str | None, str]:
    """The same on an open engine: one transaction, all or nothing, safe against another process doing it too."""
    found = engines.revision(engine)
    if found is not None and REVISIONS.index(found) >= REVISIONS.index(target):
        return found, found
    with engines.Store(engine).writing() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATING})
        found = engines.revision_of(connection)
        if found is None:
            _refuse_others(connection)
        command.upgrade(config(connection), target)
    return found, target


def _refuse_others(connection: Connection) -> None:
    """Raises LedgerForeign when a database without a ledger has tables of the ledger's names."""
    taken = sorted(set(inspect(connection).get_table_names()) & set(Base.metadata.tables))
    if taken:
        raise LedgerForeign(
            f"{engines.name_of(connection.engine.url)} has a table {taken[0]!r} of something else; name a database of "
            "its own"
        )
