"""What a run has used, asked for after every batch at a cost that does not grow with the run."""

from __future__ import annotations

import threading

from db.ledger import Ledger
from db.proposals import BEFORE_ALL
from db.records import Spent

OPEN_BATCHES = 3
"""The newest batches, in which requests may still be open: a run is at most two ahead of what is integrated."""


class Account:
    """Adds up batch by batch and keeps the sum of those that nothing changes any more. Costs are added in the order of
    batches, as the ledger adds them, so that the sum is the same to the last bit however often a run was resumed."""

    def __init__(self, ledger: Ledger, run: str) -> None:
        self._ledger, self._run = ledger, run
        self._lock = threading.Lock()
        self._settled, self._sum = BEFORE_ALL, Spent()

    def spent(self) -> Spent:
        """What the run has used so far, open requests included."""
        with self._lock:
            batches = self._ledger.spent_by_batch(self._run, self._settled)
            for batch, used in batches[:-OPEN_BATCHES]:
                self._settled, self._sum = batch, self._sum + used
            return sum((used for _, used in batches[-OPEN_BATCHES:]), self._sum)
