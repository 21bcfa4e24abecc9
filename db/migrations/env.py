"""Alembic's entry. It is given an open connection by :mod:`db.upgrade`; there is no alembic.ini."""

from alembic import context
from sqlalchemy import Connection

from db.migrations import VERSION_TABLE
from db.models import Base


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        version_table=VERSION_TABLE,
        render_as_batch=True,
        include_name=lambda name, kind, _parents: kind != "table" or name in Base.metadata.tables,
    )
    with context.begin_transaction():
        context.run_migrations()


run(context.config.attributes["connection"])
