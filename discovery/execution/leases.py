"""Leases of a cluster's jobs: what is at which worker, kept in the ledger so that losses outlive the driver.

A lost worker is written down before its jobs are handed out again, so that no job takes more than its share of them,
however often the run is resumed. Who holds what is written behind: nothing depends on it but what people see, and no
worker waits for a disk. What was taken and done between two writes is never written.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Protocol

from db.errors import LedgerError
from db.records import LeaseRecord, LeaseState
from discovery.execution import wire
from discovery.execution.base import StageJob, StageResult

if TYPE_CHECKING:
    from db.ledger import Ledger

LOST = "lost worker"
"""Kind of the events that say which node lost a worker, how many jobs it held, and how many were queued again."""
LOSSES = 4
"""Workers that a job may lose: it is queued again three times."""
TOGETHER_SECONDS = 0.25
"""What comes together within so long is written together."""
MOST_ROWS = 250
"""Of a transaction: what the run itself writes waits for it."""


def name_of(job: StageJob) -> str:
    """SHA-256 of all that the candidate can see: equal for the same job in the next process. What is known of it
    already, and when it will be stopped, may differ."""
    seen = replace(job, prior=(), watch=None, call_limits={}, candidate="", purpose="")
    return hashlib.sha256(wire.encode(seen)).hexdigest()


@dataclass
class Lease:
    """A job that waits or is at a worker. ``lost`` counts the workers that were lost with it, in all processes."""

    job: StageJob
    name: str
    lost: int
    future: Future[StageResult] = field(default_factory=Future)
    node: str = ""
    taken: float = 0.0

    def record(self, state: LeaseState) -> LeaseRecord:
        job = self.job
        return LeaseRecord(
            job=self.name,
            candidate=job.candidate,
            purpose=job.purpose or job.instances.name,
            set_digest=job.instances.digest,
            set_size=len(job.instances),
            parameters=job.parameters,
            node=self.node,
            state=state,
            lost=self.lost,
            taken=self.taken,
        )


class Leases(Protocol):
    """Whom an executor tells. Called from all its threads; never raises for a ledger that cannot be written, since the
    run will hear of that by itself."""

    def lost(self, name: str) -> int:
        """How many workers the job has lost so far."""
        ...

    def taken(self, leases: Sequence[Lease], node: str) -> None: ...

    def done(self, leases: Sequence[Lease]) -> None: ...

    def worker_lost(self, leases: Sequence[Lease], node: str, why: str) -> None:
        """A worker is gone, or cannot be used (and had no jobs). The leases count it already; when this returns, that
        is written."""
        ...


class Unwritten:
    """Leases of an executor outside any run: they end with it."""

    def lost(self, name: str) -> int:  # noqa: ARG002
        return 0

    def taken(self, leases: Sequence[Lease], node: str) -> None: ...

    def done(self, leases: Sequence[Lease]) -> None: ...

    def worker_lost(self, leases: Sequence[Lease], node: str, why: str) -> None: ...


class LeaseBook:
    """The leases of one run in its ledger, while :meth:`of` says which. The run is held meanwhile, and whoever tells of
    leases has ended before."""

    def __init__(self, ledger: Ledger, clock: Callable[[], float] = time.time) -> None:
        self._ledger, self._clock = ledger, clock
        self._run: str | None = None
        self._changed = threading.Condition()
        self._commit = threading.Lock()
        self._pending: dict[str, LeaseRecord | None] = {}
        """By job: as the lease is now, None when it is over."""
        self._events: list[Mapping[str, object]] = []
        self._written: set[str] = set()
        """Jobs that may have a row."""
        self._lost: dict[str, int] = {}
        self._writer: threading.Thread | None = None

    @contextmanager
    def of(self, run: str) -> Iterator[LeaseBook]:
        """Keep the leases of ``run`` in the block. What an earlier process left is left behind first: its end says
        nothing about a candidate, and is no loss. Raises LedgerError."""
        self._ledger.leave_leases(run)
        for lease in self._ledger.leases(run):
            self._written.add(lease.job)
            self._lost[lease.job] = lease.lost
        self._run = run
        try:
            yield self
        finally:
            with self._changed:
                writer, self._writer = self._writer, None
                self._changed.notify_all()
            if writer is not None:
                writer.join()
                self._write()
                with suppress(LedgerError):
                    self._ledger.leave_leases(run)
            self._run = None

    def lost(self, name: str) -> int:
        with self._changed:
            return self._lost.get(name, 0)

    def taken(self, leases: Sequence[Lease], node: str) -> None:
        now = self._clock()
        for lease in leases:
            lease.node, lease.taken = node, now
        with self._changed:
            self._pending |= {lease.name: lease.record("held") for lease in leases}
            if self._writer is None and self._run is not None:
                self._writer = threading.Thread(target=self._write_behind, name="leases", daemon=True)
                self._writer.start()
            self._changed.notify_all()

    def done(self, leases: Sequence[Lease]) -> None:
        with self._changed:
            for lease in leases:
                if lease.lost:
                    self._pending[lease.name] = lease.record("done")
                elif lease.name in self._written:
                    self._pending[lease.name] = None
                else:
                    self._pending.pop(lease.name, None)
            self._changed.notify_all()

    def worker_lost(self, leases: Sequence[Lease], node: str, why: str) -> None:
        again = sum(lease.lost < LOSSES for lease in leases)
        with self._changed:
            for lease in leases:
                self._lost[lease.name] = lease.lost
                self._pending[lease.name] = lease.record("queued" if lease.lost < LOSSES else "quarantined")
            self._events.append(
                {"node": node, "jobs": len(leases), "queued again": again, "reason": why[:300]}
            )
        self._write()

    # -- writing ------------------------------------------------------------------------------------------------------

    def _write_behind(self) -> None:
        me = threading.current_thread()
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._pending or self._writer is not me)
                if self._changed.wait_for(lambda: self._writer is not me, TOGETHER_SECONDS):
                    return
            self._write()

    def _write(self) -> None:
        """All that is pending now; it stays pending when it cannot be written."""
        with self._changed:
            parts = 1 + len(self._pending) // MOST_ROWS
        for _ in range(parts):
            if not self._write_some():
                return

    def _write_some(self) -> bool:
        """One transaction. Whether there was something to write and it could be."""
        with self._commit:
            with self._changed:
                some = dict(islice(self._pending.items(), MOST_ROWS))
                for job in some:
                    del self._pending[job]
                events, self._events = self._events, []
                changed = [lease for lease in some.values() if lease is not None]
                self._written.update(lease.job for lease in changed)
            if not some and not events:
                return False
            ended = [job for job, lease in some.items() if lease is None]
            try:
                if self._run is not None:
                    self._ledger.write_leases(self._run, changed, ended, tuple((LOST, e) for e in events))
                else:
                    for event in events:
                        self._ledger.add_event(None, LOST, event)
            except LedgerError:
                with self._changed:
                    self._pending = some | self._pending
                    self._events = events + self._events
                return False
            with self._changed:
                self._written.difference_update(set(ended) - set(self._pending))
            return True
