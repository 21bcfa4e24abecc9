"""What PostgreSQL needs besides SQLAlchemy: how to connect, how to lock a run, what its errors mean."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from db.errors import LedgerError, LedgerMissing, LedgerUnwritable

EXTRA = "PostgreSQL needs the extra `pg`: pip install 'discover-heuristics[pg]'"
CONNECTING: Final = {
    "connect_timeout": 10,  # seconds
    # Without these a connection that a firewall forgot hangs for hours.
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "application_name": "discover",
}
ENGINE: Final[dict[str, Any]] = {
    "connect_args": CONNECTING,
    "pool_pre_ping": True,  # a server that was restarted between two transactions is no failure
}
NOT_ALLOWED: Final = "42501"
"""The code of what the user has no right to do."""
MIGRATING: Final = 0x646973636F766572
"""Key of the lock under which the schema is changed: "discover" in ASCII."""
# The server's own half of the keepalives: the hold of a machine that lost its power ends within a minute.
_KEEPALIVES = "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3"
_HELD = text(
    "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 AND classid = :high "
    "AND objid = :low AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)


@contextmanager
def holding(connection: Connection, run: str) -> Iterator[bool]:
    """Try to hold a run by this connection's session; gives whether that worked. The hold ends with the block, or with
    the session however it ends."""
    connection = connection.execution_options(isolation_level="AUTOCOMMIT")
    connection.exec_driver_sql(_KEEPALIVES)
    key = {"key": _key(run)}
    held = bool(connection.execute(text("SELECT pg_try_advisory_lock(:key)"), key).scalar())
    try:
        yield held
    finally:
        try:
            if held:
                connection.execute(text("SELECT pg_advisory_unlock(:key)"), key)
        except DBAPIError:  # the session is gone, and the hold with it
            connection.invalidate()


def is_held(connection: Connection, run: str) -> bool:
    """Whether any session holds the run."""
    high, low = divmod(_key(run) % 2**64, 2**32)
    return bool(connection.execute(_HELD, {"high": high, "low": low}).scalar())


def _key(run: str) -> int:
    return int.from_bytes(hashlib.sha256(run.encode()).digest()[:8], "big", signed=True)


def explain(error: BaseException, where: str) -> LedgerError:
    """The ledger's error for one of psycopg's; ``where`` names the database without secrets."""
    said = " ".join(str(error).split())[:300]
    for codes, words, make, sentence in _CAUSES:
        if getattr(error, "sqlstate", None) in codes or (words and re.search(words, said)):
            return make(sentence.format(where=where, said=said))
    return LedgerError(f"the ledger {where} refused a statement ({said})")


# A server's refusal to connect has no code in libpq, so its words must do; they are tried in this order.
_CAUSES: Final[tuple[tuple[tuple[str, ...], str, type[LedgerError], str], ...]] = (
    (
        ("28P01", "28000"),
        r"no password supplied|authentication failed|pg_hba\.conf|role .* does not exist",
        LedgerError,
        "the server of the ledger {where} refuses the user or the password ({said}); correct them in the URL, or in "
        "PGUSER, PGPASSWORD or ~/.pgpass",
    ),
    (
        ("3D000",),
        r"database .* does not exist",
        LedgerMissing,
        "there is no database {where}; create it (createdb), then run `discover db upgrade`",
    ),
    (
        ("53300",),
        r"too many (clients|connections)|remaining connection slots",
        LedgerError,
        "the server of the ledger {where} takes no more connections; end other programs, or raise its max_connections",
    ),
    (
        ("57P01", "57P02", "57P03", "08003", "08006"),
        r"server closed the connection|terminating connection|connection (is|was) (closed|lost)|could not receive data"
        r"|could not send data|starting up|shutting down|EOF detected|Connection reset",
        LedgerError,
        "the connection to the ledger {where} was lost ({said}); nothing committed is lost: go on when the server is "
        "back, with `discover resume` for a run",
    ),
    (
        ("08001",),
        r"connection (to server .* )?failed|could not translate host|failed to resolve host|connection timeout"
        r"|timeout expired|[Cc]onnection refused|Name or service not known",
        LedgerError,
        "the server of the ledger {where} does not answer ({said}); check the address and that it runs",
    ),
    (
        (NOT_ALLOWED, "25006", "53100"),
        "",
        LedgerUnwritable,
        "the ledger {where} cannot be written ({said}); check the user's rights and the server's space",
    ),
)
