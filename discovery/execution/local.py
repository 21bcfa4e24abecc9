"""The default executor: a pool of warm zygotes on this machine, one a worker thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from discovery.execution.base import StageJob, StageResult
from discovery.execution.stage import run_stage, settle, unsettled
from discovery.sandbox.base import Sandbox
from evaluators.task import Task

MakeSandbox = Callable[[], Sandbox]


class LocalExecutor:
    """``workers`` zygotes and one more, started when first needed, for confirmations.

    Raises SandboxUnavailable at construction when the machine cannot isolate."""

    name = "local"

    def __init__(self, task: Task, make: MakeSandbox, workers: int) -> None:
        self._task = task
        self._make = make
        self._free: list[Sandbox] = [make()]
        self._extra: Sandbox | None = None
        self._extra_lock = threading.Lock()
        self._lock = threading.Lock()
        self._quiet = _Quiet()
        self._closed = False
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="evaluate")
        self.workers = workers
        self.isolated = self._free[0].isolated
        self.layers = self._free[0].layers

    def submit(self, job: StageJob) -> Future[StageResult]:
        return self._pool.submit(self._run, job)

    def close(self) -> None:
        self._closed = True
        self._pool.shutdown(wait=True, cancel_futures=True)
        for sandbox in [*self._free, *([self._extra] if self._extra else [])]:
            sandbox.close()
        self._free, self._extra = [], None

    def _run(self, job: StageJob) -> StageResult:
        with self._confirming() if job.confirm else self._zygote() as sandbox:
            with self._quiet.shared():
                result = run_stage(sandbox, self._task, job)
            if unsettled(job, result):
                with self._quiet.alone():
                    result = settle(sandbox, self._task, job, result)
        return result

    @contextmanager
    def _zygote(self) -> Iterator[Sandbox]:
        with self._lock:
            sandbox = self._free.pop() if self._free else None
        sandbox = sandbox or self._make()
        try:
            yield sandbox
        finally:
            with self._lock:
                self._free.append(sandbox)

    @contextmanager
    def _confirming(self) -> Iterator[Sandbox]:
        with self._extra_lock:
            if self._extra is None:
                self._extra = self._make()
            yield self._extra


class InlineExecutor(LocalExecutor):
    """Runs each job in the caller's thread before ``submit`` returns: the order of everything is the order of the
    calls. For tests and debugging."""

    name = "inline"

    def __init__(self, task: Task, make: MakeSandbox) -> None:
        super().__init__(task, make, 1)

    def submit(self, job: StageJob) -> Future[StageResult]:
        if self._closed:
            raise RuntimeError("the executor is closed")
        future: Future[StageResult] = Future()
        try:
            future.set_result(self._run(job))
        except Exception as error:
            future.set_exception(error)
        return future


class _Quiet:
    """Many may share; one may ask to be alone, and then waits for the others and holds newcomers back."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._sharing = 0
        self._asking = 0
        self._busy = False

    @contextmanager
    def shared(self) -> Iterator[None]:
        with self._condition:
            self._condition.wait_for(lambda: not self._asking and not self._busy)
            self._sharing += 1
        try:
            yield
        finally:
            with self._condition:
                self._sharing -= 1
                self._condition.notify_all()

    @contextmanager
    def alone(self) -> Iterator[None]:
        with self._condition:
            self._asking += 1
            self._condition.wait_for(lambda: not self._sharing and not self._busy)
            self._asking -= 1
            self._busy = True
        try:
            yield
        finally:
            with self._condition:
                self._busy = False
                self._condition.notify_all()
