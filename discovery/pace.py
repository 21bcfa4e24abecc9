"""How long a candidate will take on instances it has not met, and how far it is."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace

from discovery.execution.base import Executor, StageJob, StageResult
from evaluators.policy import PolicyTask
from evaluators.task import InstanceSet, Task

EVERY = 5.0
"""Seconds between two messages at least."""
STEEPEST = 4.0
"""The largest exponent of time over size that is believed."""


class Paced:
    """An executor that says how many instances are done. It changes no result: its watch never stops a job."""

    def __init__(
        self, inner: Executor, say: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.name, self.workers = inner.name, inner.workers
        self.isolated, self.layers = inner.isolated, inner.layers
        self._inner, self._say, self._clock = inner, say, clock
        self._lock = threading.Lock()
        self.begin("", 0)

    def begin(self, what: str, total: int) -> None:
        """From now on count towards ``total`` instances of ``what``."""
        self._what, self._total, self._done, self._told = what, total, 0, self._clock()

    def submit(self, job: StageJob) -> Future[StageResult]:
        return self._inner.submit(job if job.watch is not None else replace(job, watch=self))

    def close(self) -> None:
        self._inner.close()

    def stop(self, scores: Sequence[float], total: int) -> bool:  # noqa: ARG002
        """One more instance is done. Called from the workers' threads."""
        with self._lock:
            self._done += 1
            if self._clock() - self._told >= EVERY:
                self._told = self._clock()
                self._say(f"{self._what}: {self._done}/{self._total}")
        return False


def told(task: Task, seconds: float) -> str:
    """An estimate in words. What a task's simulator takes on the trusted side is measured by nobody before."""
    words = f"{max(1, round(seconds))} s of processor time"
    return f"{words} in candidates, and the simulator's" if isinstance(task, PolicyTask) else words


def processor_time(measured: Sequence[tuple[InstanceSet, Sequence[float]]], target: InstanceSet) -> float:
    """Estimated seconds of processor time on ``target``, from times a call (s) on other sets.

    Two guesses an instance, the larger one counts: the power law through the two largest sizes measured, and the
    share of its limit that the candidate used at the largest size (an anytime method takes what it is given). No
    guess is above twice the limit, where a call is killed."""
    calls = [(i, s) for instances, cpu in measured for i, s in zip(instances, cpu, strict=False)]
    if not calls:
        return 0.0
    sizes: dict[int, list[float]] = {}
    for instance, seconds in calls:
        sizes.setdefault(instance.size, []).append(seconds)
    means = sorted((size, max(sum(v) / len(v), 1e-9)) for size, v in sizes.items())
    size, mean = means[-1]
    exponent = 1.0
    if len(means) > 1 and size > means[-2][0] > 0:
        exponent = math.log(mean / means[-2][1]) / math.log(size / means[-2][0])
    exponent = min(max(exponent, 0.0), STEEPEST)
    shares = [s / i.limit for i, s in calls if i.size == size]
    share = sum(shares) / len(shares)
    guesses = (
        (max(mean * (max(i.size, 1) / max(size, 1)) ** exponent, share * i.limit), i.limit) for i in target
    )
    return math.fsum(min(guess, 2 * limit) for guess, limit in guesses)
