"""Leases: which worker of a cluster has which job of a run, and how many workers were lost with it.

What a run decides never depends on them but for the losses. They are the one table whose rows go: a job that ended and
lost no worker has none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict
from typing import cast

from sqlalchemy import Table, bindparam, delete, select, update

from db.engine import Store, put_rows
from db.models import Lease
from db.packing import clean, dump, load
from db.records import Json, LeaseRecord
from db.runs import write_events

_LEASE = cast(Table, Lease.__table__)
_ENDED = delete(_LEASE).where(_LEASE.c.run == bindparam("_run"), _LEASE.c.job == bindparam("_job"))
OPEN = ("held", "queued")


class Leases(Store):
    def write_leases(
        self,
        run: str,
        changed: Sequence[LeaseRecord],
        ended: Collection[str] = (),
        events: tuple[tuple[str, Json], ...] = (),
    ) -> None:
        """One transaction: leases as they are now, those that are over (by job; they need not be there), and events of
        the run that belong to them."""
        with self.writing() as c:
            if changed:
                put_rows(c, _LEASE, [{"run": run, **_row(lease)} for lease in changed])
            if ended:
                c.execute(_ENDED, [{"_run": run, "_job": job} for job in ended])
            write_events(c, run, events, self._clock())

    def leave_leases(self, run: str) -> None:
        """Whoever had the run's open leases handed out is gone. Losses stay what they were."""
        if any(lease.state in OPEN for lease in self.leases(run)):
            with self.writing() as c:
                left = update(_LEASE).where(_LEASE.c.run == run, _LEASE.c.state.in_(OPEN))
                c.execute(left.values(state="left"))

    def leases(self, run: str) -> tuple[LeaseRecord, ...]:
        """All that there are, the oldest first."""
        columns = [c for c in _LEASE.c if c.name != "run"]
        statement = select(*columns).where(_LEASE.c.run == run).order_by(_LEASE.c.taken, _LEASE.c.job)
        with self.reading() as c:
            return tuple(
                LeaseRecord(**{**r._mapping, "parameters": load(r.parameters)}) for r in c.execute(statement)
            )


def _row(lease: LeaseRecord) -> dict[str, object]:
    return {**asdict(lease), "parameters": dump(lease.parameters), "node": clean(lease.node)}
