"""Bringing a database to the newest schema."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, Engine

from db import engine as engines
from db.migrations import REVISIONS

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
        found = engines.revision_of(connection)
        command.upgrade(config(connection), target)
    return found, target
