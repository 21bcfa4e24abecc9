"""The ledger: the only memory of all runs. Rows are added and marked, nothing is deleted (but a lease that is over)."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from db import engine as engines
from db.archive import Archive
from db.evaluations import Evaluations
from db.holding import Holding
from db.integration import Integrations
from db.leases import Leases
from db.migrations import REVISIONS
from db.proposals import Proposals
from db.runs import Runs
from db.studies import Studies
from db.submissions import Submissions


class Ledger(Runs, Proposals, Evaluations, Studies, Integrations, Archive, Holding, Submissions, Leases):
    """All that is recorded, in one database. Thread-safe; every method is one short transaction.

    The parts are one class a group of tables; they share :class:`db.engine.Store` and nothing else."""

    @classmethod
    def open(
        cls,
        url_or_path: str | Path,
        *,
        create: bool = True,
        readonly: bool = False,
        busy_timeout: float = engines.BUSY_TIMEOUT,
        clock: Callable[[], float] = time.time,
    ) -> Self:
        """Open a ledger by path or SQLAlchemy URL. A SQLite file is made (with ``create``) and upgraded as needed;
        other databases must be current. ``readonly`` opens what is there to look at only: nothing is made, upgraded or
        tried, and a write raises LedgerUnwritable.

        Raises LedgerError: missing; LedgerNewer, LedgerForeign, LedgerUnwritable, LedgerLocked, LedgerBehind."""
        url = engines.address(url_or_path)
        path = engines.file_of(url)
        if path is not None:
            engines.check_file(path, create and not readonly)
        engine = engines.connect(url, busy_timeout, readonly=readonly)
        try:
            found = engines.revision(engine)
            if engine.dialect.name != "sqlite" or readonly:
                engines.require_head(engine, found)
            elif found != REVISIONS[-1]:
                from db.upgrade import upgrade_engine  # Alembic is slow to import and seldom needed

                upgrade_engine(engine)
            ledger = cls(engine, clock)
            if path is not None and not readonly:
                ledger.prepare_file()
        except BaseException:
            engine.dispose()
            raise
        return ledger
