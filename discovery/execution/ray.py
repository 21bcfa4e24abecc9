"""The executor of a Ray cluster: one actor a core, chunks of jobs, and another worker for what a lost one held.

Each worker of the driver is a thread that owns one actor: it takes jobs from the common queue (a lease), sends them
and waits. A candidate that fails is a result; a worker that is lost is no result, and its jobs are queued again.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict, deque
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any

from discovery.errors import EnvironmentProblem
from discovery.execution import ray_cluster, wire
from discovery.execution.base import StageJob, StageResult
from discovery.execution.leases import LOSSES, Lease, Leases, Unwritten, name_of
from discovery.execution.ray_worker import SETS_KEPT, identity
from discovery.sandbox.base import SandboxUnavailable
from evaluators.task import InstanceSet, Task

CHUNK_SECONDS = 0.1
"""What one message is worth, s of work: far above the cost of a message, far below what an idle worker would miss."""
START_SECONDS = 60.0
"""How long a cluster may be without any worker of ours, s."""
HEAD_SECONDS = 5.0
"""Between two looks at whether the head is there, s."""
HEAD_MISSED = 3
"""Looks that must have failed, one after another."""
AGAIN_SECONDS = 30.0
"""When a worker is asked for again where one could not be used, s."""


class RayExecutor:
    """``workers`` actors on the cluster at ``address``; those for which it has no free core join when it has one.

    ``leases`` hears who has what, and who is lost. Raises EnvironmentProblem at construction: no cluster, no free core,
    other versions there; SandboxUnavailable where a node cannot isolate."""

    name = "ray"

    def __init__(
        self,
        task: Task,
        workers: int,
        address: str,
        *,
        unsafe: bool = False,
        leases: Leases | None = None,
    ) -> None:
        self.workers = workers
        self._task = task
        self._leases = leases or Unwritten()
        self._changed = threading.Condition()
        self._queue: deque[Lease] = deque()
        self._waiting = self._ready = 0
        self._seconds = CHUNK_SECONDS
        """Of a job, as the last chunks took it."""
        self._last_ready = time.monotonic()
        self._started = self._closed = False
        self._failure: Exception | None = None
        self._sets: OrderedDict[str, Any] = OrderedDict()
        self._cluster = ray_cluster.connect(address)
        self._hire = self._cluster.hiring(task, unsafe)
        self._hello: Mapping[str, Any] | None = None
        self._threads = [threading.Thread(target=self._serve, daemon=True) for _ in range(workers)]
        self._threads.append(threading.Thread(target=self._watch_head, daemon=True))
        for thread in self._threads:
            thread.start()
        try:
            self.isolated, self.layers = self._await_first()
        except BaseException:
            self.close()
            raise

    def submit(self, job: StageJob) -> Future[StageResult]:
        name = name_of(job)
        lease = Lease(job, name, self._leases.lost(name))
        with self._changed:
            if self._closed:
                raise RuntimeError("the executor is closed")
            if self._failure is not None:
                lease.future.set_exception(self._failure)
            elif lease.lost >= LOSSES:  # in an earlier process, which did not live to say so
                lease.future.set_result(_given_up())
            else:
                self._queue.append(lease)
                self._changed.notify_all()  # not all who wait here wait for a job
        return lease.future

    def close(self) -> None:
        with self._changed:
            self._closed = True
            for lease in self._queue:
                lease.future.cancel()  # in vain for one that was at a worker before: it is told why instead
        self._fail(EnvironmentProblem("the executor was closed before it came to this"))
        self._cluster.stop_hiring()
        for thread in self._threads:
            thread.join()
        self._cluster.close()

    # -- one thread a worker ------------------------------------------------------------------------------------------

    def _serve(self) -> None:
        try:
            while worker := self._hired():
                with self._changed:
                    self._ready += 1
                    self._changed.notify_all()
                try:
                    self._work(worker)
                finally:
                    with self._changed:
                        self._ready -= 1
                        self._last_ready = time.monotonic()
                    worker.end()
        except Exception as error:  # a defect: whoever waits must hear of it
            self._fail(error)

    def _hired(self) -> ray_cluster.Actor | None:
        """An actor that has said hello; None when no more are wanted."""
        while not self._closed and self._failure is None:
            worker = self._hire()
            problem = self._greeted(worker)
            if problem is None and worker.node and not self._closed:
                return worker
            worker.end()
            if problem is not None:
                self._leases.worker_lost((), worker.node, str(problem))
                if not self._started:  # later the others go on, and the node may be put right
                    self._fail(problem)
            with self._changed:
                self._changed.wait_for(lambda: self._closed, AGAIN_SECONDS if problem is not None else 0.5)
            self._look_for_starvation()
        return None

    def _greeted(self, worker: ray_cluster.Actor) -> Exception | None:
        """Wait until the worker has a core and its sandbox has proved itself; why it cannot be used."""
        try:
            while (hello := worker.hello(1.0)) is None:
                if self._closed or self._failure is not None:
                    return None
                self._look_for_starvation()
        except ray_cluster.Lost:
            return None
        return self._problem(hello)

    def _work(self, worker: ray_cluster.Actor) -> None:
        """Jobs for this worker, until there are no more or it is lost."""
        while leases := self._take():
            if leases[0].lost and not self._there(worker):
                self._queue_again(leases)
                return
            jobs, sets = self._packed([lease.job for lease in leases])
            self._leases.taken(leases, worker.node)
            try:
                seconds, results = worker.run(jobs, sets)
            except ray_cluster.Lost as error:
                self._lost(leases, worker.node, str(error))
                return
            except Exception as error:
                for lease in leases:
                    lease.future.set_exception(error)
                raise
            with self._changed:
                mean = seconds / len(leases)
                self._seconds += 0.3 * (mean - self._seconds)
            self._leases.done(leases)
            for lease, result in zip(leases, results, strict=True):
                lease.future.set_result(result)

    def _there(self, worker: ray_cluster.Actor) -> bool:
        """Whether an idle worker is alive. One that died with its neighbour, as all do whose node is gone, would
        otherwise take that one's job only to lose it once more, and a few of them would see it quarantined."""
        try:
            worker.wait_until_ready()
        except ray_cluster.Lost as error:
            self._leases.worker_lost((), worker.node, str(error))
            return False
        return True

    def _take(self) -> list[Lease]:
        """The next jobs: one, or several short ones where enough are left for the others. Empty: no more."""
        with self._changed:
            self._waiting += 1
            while not self._queue and not self._closed:
                self._changed.wait()
            self._waiting -= 1
            if self._closed:
                return []
            leases = [self._claimed()]
            room = min(CHUNK_SECONDS / self._seconds, len(self._queue) / (self._waiting + 1))
            while self._queue and len(leases) < room and not leases[0].lost and not self._queue[0].lost:
                leases.append(self._claimed())
            return leases

    def _claimed(self) -> Lease:
        lease = self._queue.popleft()
        if not lease.future.running():  # it is when its worker was lost
            lease.future.set_running_or_notify_cancel()
        return lease

    def _packed(self, jobs: list[StageJob]) -> tuple[bytes, dict[str, Any]]:
        """A chunk as bytes, and references to its instance sets, each of which the cluster gets once."""
        named: dict[str, InstanceSet] = {}
        data = wire.encode(jobs, named)
        with self._changed:
            for digest, instances in named.items():
                if digest not in self._sets:
                    self._sets[digest] = self._cluster.put(wire.encode_set(instances))
                self._sets.move_to_end(digest)
            references = {digest: self._sets[digest] for digest in named}
            while len(self._sets) > SETS_KEPT:
                self._sets.popitem(last=False)
        return data, references

    # -- what goes wrong ----------------------------------------------------------------------------------------------

    def _lost(self, leases: list[Lease], node: str, why: str) -> None:
        """Queue the jobs of a lost worker again, each alone, so that one that takes its worker with it is found out."""
        for lease in leases:
            lease.lost += 1
        self._leases.worker_lost(leases, node, why)  # before anybody is handed one of them
        again = [lease for lease in leases if lease.lost < LOSSES]
        for lease in leases:
            if lease.lost >= LOSSES:
                lease.future.set_result(_given_up())
        self._queue_again(again)

    def _queue_again(self, leases: list[Lease]) -> None:
        with self._changed:
            self._queue.extendleft(reversed(leases))
            self._changed.notify_all()
        if self._failure is not None:
            self._fail(self._failure)

    def _fail(self, problem: Exception) -> None:
        """Nothing more is run; whoever waits is told why."""
        with self._changed:
            self._failure = problem if self._failure is None else self._failure
            waiting, self._queue = self._queue, deque()
            self._changed.notify_all()
        for lease in waiting:
            if not lease.future.cancelled():
                lease.future.set_exception(problem)

    def _problem(self, hello: Mapping[str, Any]) -> Exception | None:
        """Why a worker cannot be used."""
        if "problem" in hello:
            return SandboxUnavailable(f"node {hello['node']} of the cluster: {hello['problem']}")
        here = identity(self._task)
        for name, own in here.items():
            there = hello["identity"].get(name)
            if there != own:
                return EnvironmentProblem(
                    f"node {hello['node']} of the cluster has {name} {there}, this machine has {own}; install the same "
                    "version on all of them"
                )
        with self._changed:
            first = self._hello = self._hello or hello
        if first["isolated"] != hello["isolated"]:
            return EnvironmentProblem(
                f"node {hello['node']} of the cluster does not isolate as {first['node']} does; `discover doctor` "
                "there says why"
            )
        return None

    def _look_for_starvation(self) -> None:
        """Fail when there has been no worker for a minute."""
        with self._changed:
            starving = not self._ready and time.monotonic() - self._last_ready > START_SECONDS
        if starving:
            self._fail(
                EnvironmentProblem(
                    f"the cluster at {self._cluster.address} has had no free core for {START_SECONDS:g} s; see `ray "
                    "status`, add nodes or end other jobs"
                )
            )

    def _watch_head(self) -> None:
        """Fail when the head of the cluster is gone: a minute later Ray ends the whole process, without our word."""
        missed = 0
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: self._closed or self._failure is not None, HEAD_SECONDS):
                    return
            missed = 0 if self._cluster.answers() else missed + 1
            if missed == HEAD_MISSED:
                self._fail(
                    EnvironmentProblem(
                        f"the head of the cluster at {self._cluster.address} does not answer any more; start it again "
                        "and go on with `discover resume`"
                    )
                )

    def _await_first(self) -> tuple[bool, Mapping[str, object]]:
        """What the sandbox of the first worker holds; waits for all that are there at once."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._failure)
            self._changed.wait_for(lambda: self._ready == self.workers or self._failure, timeout=2.0)
            if self._failure is not None:
                raise self._failure
            self._started = True
            assert self._hello is not None
            return self._hello["isolated"], self._hello["layers"]


def _given_up() -> StageResult:
    return StageResult("quarantined", f"{LOSSES} workers were lost while they ran it", (), (), ())
