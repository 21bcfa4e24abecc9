"""What a run's ledger holds of the requests that are still to be made, read once a sitting.

Only slots beyond the last integrated batch can be asked for anew, and what was recorded of those is what an earlier
sitting was working on when it ended. So a slot that this sitting comes to for the first time needs no look of its own.
Another process at the same run is no danger: a reply is recorded only where there is none, and the first one stands.
"""

from __future__ import annotations

import threading

from db.ledger import Ledger
from db.records import ProposalRecord

BATCHES_KEPT = 4
"""A run is at most two batches ahead of what is integrated; older slots are looked up."""


class Recall:
    """The recorded requests of one run. Thread-safe."""

    def __init__(self, run: str, batch: int, ledger: Ledger) -> None:
        self._run, self._ledger = run, ledger
        self._kept = BATCHES_KEPT * batch
        self._lock = threading.Lock()
        done = ledger.run(run).batches_done
        self._first = (done + 1) * batch
        self._begun = {(p.k, p.r): p for p in ledger.proposals(run, after=done)}
        self._asked: set[tuple[int, int]] = set()
        self._newest = -1

    def row(self, k: int, r: int) -> ProposalRecord | None:
        """What is recorded of request ``r`` of slot ``k``."""
        with self._lock:
            again = k < max(self._first, self._newest - self._kept) or (k, r) in self._asked
            self._newest = max(self._newest, k)
            self._asked.add((k, r))
            if len(self._asked) > 4 * self._kept:
                self._asked = {key for key in self._asked if key[0] >= self._newest - self._kept}
            begun = self._begun.pop((k, r), None)
        return self._ledger.proposal(self._run, k, r) if again else begun
