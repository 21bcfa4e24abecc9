"""An executor that adds up the processor time of what it runs."""

from __future__ import annotations

import math
import threading
from concurrent.futures import Future

from discovery.execution.base import Executor, StageJob, StageResult


class Metered:
    """Changes no result. ``seconds`` is the processor time of all jobs that have ended, as the kernel measured it
    instance by instance; a failed call counts with what it used."""

    def __init__(self, inner: Executor) -> None:
        self.name, self.workers = inner.name, inner.workers
        self.isolated, self.layers = inner.isolated, inner.layers
        self._inner = inner
        self._lock = threading.Lock()
        self.seconds = 0.0

    def submit(self, job: StageJob) -> Future[StageResult]:
        future = self._inner.submit(job)
        future.add_done_callback(self._ended)
        return future

    def close(self) -> None:
        self._inner.close()

    def _ended(self, future: Future[StageResult]) -> None:
        if future.cancelled() or future.exception() is not None:
            return
        result = future.result()
        used = math.fsum((*result.cpu, *(result.screen.cpu if result.screen else ())))
        with self._lock:
            self.seconds += used
