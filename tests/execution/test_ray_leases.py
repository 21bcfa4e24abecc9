# ruff: noqa: ARG002 - actors that play a script ignore most of what they are given
"""What the cluster's executor does when workers are lost, differ or are missing. No Ray: actors play a script."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
from review_samples import run_record
from toy.loop import density
from toy.task import Knapsack

from db.errors import LedgerLocked
from db.ledger import Ledger
from discovery.cli.main import main
from discovery.errors import EnvironmentProblem, UsageError
from discovery.execution import ray as executors
from discovery.execution import ray_cluster, wire
from discovery.execution.base import Executor, StageJob, StageResult
from discovery.execution.leases import LOSSES, LOST, LeaseBook, name_of
from discovery.execution.ray import RayExecutor
from discovery.execution.ray_worker import identity
from discovery.sandbox.base import SandboxUnavailable
from discovery.statistics import EarlyStop
from evaluators.task import InstanceSet
from searchspaces.tuner import Pruning

TASK = Knapsack({})
SEARCH = TASK.instances("search")
HELLO: dict[str, Any] = {
    "node": "10.0.0.7",
    "identity": identity(TASK),
    "isolated": True,
    "layers": {"seccomp": True},
}
Play = Callable[[list[StageJob]], None]
RUN = "r-leases"


class Actor:
    def __init__(self, cluster: Cluster) -> None:
        self.cluster, self.node, self.ended = cluster, "", False
        cluster.actors.append(self)

    def hello(self, seconds: float) -> Mapping[str, Any] | None:
        if not self.cluster.cores.acquire(timeout=min(seconds, 0.01)):
            return None
        said: Mapping[str, Any] = wire.decode(wire.encode(self.cluster.hello()))
        self.node = said["node"]
        return said

    def wait_until_ready(self) -> None:
        if self in self.cluster.dead:
            raise ray_cluster.Lost("node died")

    def run(self, jobs: bytes, sets: Mapping[str, Any]) -> tuple[float, tuple[StageResult, ...]]:
        self.wait_until_ready()
        found = list(wire.decode(jobs, lambda digest: wire.decode_set(sets[digest])))
        with self.cluster.lock:
            self.cluster.chunks.append(len(found))
        self.cluster.play(found)
        results = [self.cluster.inner.submit(job).result() for job in found]
        return 0.001 * len(found), wire.decode(wire.encode(results))

    def end(self) -> None:
        if not self.ended and self.node:
            self.cluster.cores.release()
        self.ended = True


class Cluster:
    """``cores`` bounds the actors at once; ``play`` sees each chunk and may lose the worker."""

    address = "10.0.0.1:6379"

    def __init__(self, inner: Executor) -> None:
        self.inner, self.lock = inner, threading.Lock()
        self.cores = threading.Semaphore(2)
        self.actors: list[Actor] = []
        self.dead: list[Actor] = []
        self.chunks: list[int] = []
        self.puts: list[bytes] = []
        self.play: Play = lambda _: None
        self.hello: Callable[[], Mapping[str, Any]] = lambda: HELLO
        self.drivers = ExitStack()
        self.ledger = Ledger.open("sqlite://")
        self.ledger.create_run(run_record(RUN))
        self.head, self.closed = True, False

    def answers(self) -> bool:
        return self.head

    def put(self, data: bytes) -> bytes:
        self.puts.append(data)
        return data

    def hiring(self, task: object, unsafe: bool) -> Callable[[], Actor]:
        return lambda: Actor(self)

    def stop_hiring(self) -> None: ...

    def close(self) -> None:
        self.closed = True

    def executor(self, workers: int = 2) -> RayExecutor:
        """The executor of a new driver, which works on the same run."""
        leases = self.drivers.enter_context(LeaseBook(self.ledger).of(RUN))
        return RayExecutor(TASK, workers, self.address, leases=leases)

    @property
    def told(self) -> list[Mapping[str, Any]]:
        """What the run's events say of lost workers."""
        return [event.data for event in self.ledger.events(RUN, LOST)]


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch, bag_executor: Executor) -> Iterator[Cluster]:
    made = Cluster(bag_executor)
    monkeypatch.setattr(ray_cluster, "connect", lambda _: made)
    yield made
    made.drivers.close()
    assert not [one for one in made.ledger.leases(RUN) if one.state in ("held", "queued")]
    assert all(actor.ended for actor in made.actors)


def job(power: float = 0.5, **more: Any) -> StageJob:
    return StageJob(density(power), SEARCH, {}, **more)


@pytest.mark.parametrize(
    "value",
    [
        (1, -0.0, 1e-320, 0.1 + 0.2, True, None, "\ud800\x00", b"\x00\xff", ()),
        {"text": 1.5, 10: (1,), "nested": {"a": b"b"}},
        StageResult("stopped", "why", (1.0,), (2.0,), (0.1,), (0.5,), (b"a", b""), b"out", True, True, 7,
                    StageResult("scored", "", (), (), ())),
        EarlyStop((1.0, 2.0), "minimize"),
        Pruning((1.0, 2.0), "maximize"),
    ],
)  # fmt: skip
def test_what_crosses_comes_back_as_it_was(value: object) -> None:
    assert wire.decode(wire.encode(value)) == value


def test_a_job_crosses_with_its_sets_beside_it() -> None:
    sets: dict[str, InstanceSet] = {}
    whole = job(
        prior=(1.0,),
        watch=EarlyStop((1.0,), "maximize"),
        call_limits={10: 0.5},
        screen=TASK.instances("screen"),
    )
    data = wire.encode([whole], sets)
    assert set(sets) == {SEARCH.digest, TASK.instances("screen").digest} and len(data) < 2000
    sent = {digest: wire.encode_set(instances) for digest, instances in sets.items()}
    (found,) = wire.decode(data, lambda digest: wire.decode_set(sent[digest]))
    assert found == whole and found.instances.digest == SEARCH.digest
    for stranger in (object(), threading.Lock(), {"f": print}):
        with pytest.raises(TypeError, match="cannot cross"):
            wire.encode(stranger)


def test_a_set_is_sent_once_and_short_jobs_share_a_message(cluster: Cluster) -> None:
    executor = cluster.executor(workers=1)
    expected = cluster.inner.submit(job()).result().scores
    for _ in range(2):
        found = [f.result(timeout=30) for f in [executor.submit(job()) for _ in range(30)]]
        assert [r.scores for r in found] == [expected] * 30
    executor.close()
    assert len(cluster.puts) == 1 and sum(cluster.chunks) == 60
    assert max(cluster.chunks) > 5, "jobs of 1 ms are sent many at once"
    assert cluster.closed and cluster.told == []


def test_a_lost_worker_is_replaced_and_its_jobs_run_again(cluster: Cluster) -> None:
    left = [3]

    def play(_: list[StageJob]) -> None:
        with cluster.lock:
            left[0] -= 1
            if left[0] >= 0:
                raise ray_cluster.Lost("killed")

    cluster.play = play
    executor = cluster.executor()
    found = [f.result(timeout=30) for f in [executor.submit(job(0.1 * k)) for k in range(12)]]
    assert [r.outcome for r in found] == ["scored"] * 12
    executor.close()
    assert (
        len(cluster.told) == 3
        and cluster.told[0]["node"] == "10.0.0.7"
        and cluster.told[0]["reason"] == "killed"
    )
    assert all(data["jobs"] == data["queued again"] for data in cluster.told)


def test_what_loses_every_worker_is_quarantined_and_nothing_else_is(cluster: Cluster) -> None:
    def play(jobs: list[StageJob]) -> None:
        if any("0.25" in one.code for one in jobs):
            raise ray_cluster.Lost("out of memory")

    cluster.play = play
    executor = cluster.executor(workers=1)
    futures = [executor.submit(job(power)) for power in (0.1, 0.25, 0.3, 0.4)]
    found = [f.result(timeout=30) for f in futures]
    executor.close()
    assert [r.outcome for r in found] == ["scored", "quarantined", "scored", "scored"]
    assert str(LOSSES) in found[1].reason and found[1].scores == ()
    assert len(cluster.told) == LOSSES and cluster.told[-1]["queued again"] == 0


def test_a_node_with_all_its_workers_counts_once_for_the_job_of_one(cluster: Cluster) -> None:
    cluster.cores = threading.Semaphore(2 * LOSSES)

    def play(_: list[StageJob]) -> None:
        if not cluster.dead:
            cluster.dead += cluster.actors
            raise ray_cluster.Lost("node died")

    cluster.play = play
    executor = cluster.executor(workers=2 * LOSSES)
    until(lambda: sum(bool(actor.node) for actor in cluster.actors) == 2 * LOSSES)
    assert executor.submit(job()).result(timeout=30).outcome == "scored"
    executor.close()
    until(lambda: cluster.ledger.leases(RUN)[0].state == "done")
    assert cluster.ledger.leases(RUN)[0].lost == 1
    assert [data["jobs"] for data in cluster.told if data["jobs"]] == [1]


def until(there: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not there():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


def waiting(go: threading.Event) -> None:
    go.wait(30)


def test_a_loss_is_in_the_ledger_before_the_job_is_handed_out_again(cluster: Cluster) -> None:
    seen: list[list[tuple[str, int]]] = []

    def play(_: list[StageJob]) -> None:
        seen.append([(one.state, one.lost) for one in cluster.ledger.leases(RUN)])
        if len(seen) < 4:
            raise ray_cluster.Lost("killed")

    cluster.play = play
    executor = cluster.executor(workers=1)
    assert executor.submit(job()).result(timeout=30).outcome == "scored"
    executor.close()
    assert seen[0] in ([], [("held", 0)]), "who holds what may be written a little later"
    assert [found[0][1] for found in seen[1:]] == [1, 2, 3]
    until(lambda: cluster.ledger.leases(RUN)[0].state == "done")
    assert cluster.ledger.leases(RUN)[0].lost == 3, "what lost workers is remembered"


def test_what_is_held_can_be_seen_and_goes_when_it_is_done(cluster: Cluster) -> None:
    go = threading.Event()
    cluster.play = lambda _: waiting(go)
    executor = cluster.executor(workers=1)
    future = executor.submit(job(candidate="c" * 64, purpose="trial"))
    until(lambda: bool(cluster.ledger.leases(RUN)))
    (held,) = cluster.ledger.leases(RUN)
    assert (held.state, held.node, held.candidate, held.purpose) == ("held", "10.0.0.7", "c" * 64, "trial")
    assert (held.set_digest, held.set_size, held.lost) == (SEARCH.digest, len(SEARCH), 0) and held.taken > 0
    go.set()
    assert future.result(timeout=30).outcome == "scored"
    until(lambda: not cluster.ledger.leases(RUN))
    executor.close()


def test_losses_outlive_the_driver(cluster: Cluster) -> None:
    """A driver that is gone while a job is at its fourth worker; the next one may lose one worker with it."""
    go, runs = threading.Event(), [0]
    bad = job(0.25)

    def play(jobs: list[StageJob]) -> None:
        if name_of(jobs[0]) != name_of(bad):
            return
        runs[0] += 1
        if runs[0] == LOSSES:
            go.wait(30)
        raise ray_cluster.Lost("out of memory")

    cluster.play = play
    dead = cluster.executor(workers=1)
    dead.submit(bad)
    until(lambda: [(one.state, one.lost) for one in cluster.ledger.leases(RUN)] == [("held", LOSSES - 1)])

    executor = cluster.executor(workers=1)
    assert [(one.state, one.lost) for one in cluster.ledger.leases(RUN)] == [("left", LOSSES - 1)]
    again = job(0.25, watch=EarlyStop((1.0,), "maximize"), candidate="c" * 64)
    futures = [executor.submit(one) for one in (again, job(0.3))]
    assert [f.result(timeout=30).outcome for f in futures] == ["quarantined", "scored"]
    assert runs[0] == LOSSES + 1, "the death of a driver is no loss"
    (kept,) = cluster.ledger.leases(RUN)
    assert (kept.state, kept.lost, kept.candidate) == ("quarantined", LOSSES, "c" * 64)

    executor.close()
    cluster.play = lambda _: pytest.fail("it was run again")
    third = cluster.executor(workers=1)
    assert third.submit(bad).result(timeout=30).outcome == "quarantined", (
        "it lost them all; nobody said so yet"
    )
    third.close()
    go.set()
    dead.close()


def test_a_driver_that_dies_is_no_loss_however_often(cluster: Cluster) -> None:
    go = threading.Event()
    cluster.play = lambda _: waiting(go)
    dead = []
    for _ in range(LOSSES + 1):
        cluster.cores.release()
        dead.append(cluster.executor(workers=1))
        dead[-1].submit(job())
        until(lambda: [(one.state, one.lost) for one in cluster.ledger.leases(RUN)] == [("held", 0)])
    go.set()
    executor = cluster.executor(workers=1)
    assert executor.submit(job()).result(timeout=30).outcome == "scored"
    until(lambda: not cluster.ledger.leases(RUN))
    for one in (*dead, executor):
        one.close()


def test_nobody_waits_for_a_ledger_that_cannot_be_written(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused, write = [0], Ledger.write_leases

    def locked(self: Ledger, *told: Any) -> None:
        refused[0] += 1
        if refused[0] < 4:
            raise LedgerLocked("in use")
        write(self, *told)

    monkeypatch.setattr(Ledger, "write_leases", locked)
    left = [1]

    def play(_: list[StageJob]) -> None:
        left[0] -= 1
        if left[0] == 0:
            raise ray_cluster.Lost("killed")

    cluster.play = play
    executor = cluster.executor(workers=1)
    assert executor.submit(job()).result(timeout=30).outcome == "scored"
    until(lambda: [(one.state, one.lost) for one in cluster.ledger.leases(RUN)] == [("done", 1)])
    assert len(cluster.told) == 1 and refused[0] >= 4
    executor.close()


@pytest.mark.parametrize(
    "hello, kind, sentence",
    [
        (
            {"identity": {**HELLO["identity"], "numpy": "1.0"}},
            EnvironmentProblem,
            "10.0.0.7 .* numpy 1.0, this .*same",
        ),
        ({"identity": {}}, EnvironmentProblem, "has discover None"),
        ({"problem": "the kernel is too old"}, SandboxUnavailable, "10.0.0.7 .*the kernel is too old"),
    ],
)
def test_a_node_that_differs_ends_it_at_the_start(
    cluster: Cluster, hello: dict[str, Any], kind: type[Exception], sentence: str
) -> None:
    cluster.hello = lambda: HELLO | hello
    with pytest.raises(kind, match=sentence):
        cluster.executor()
    assert cluster.closed


def test_a_node_that_differs_later_is_left_out(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "AGAIN_SECONDS", 0.05)
    executor = cluster.executor(workers=2)
    cluster.hello = lambda: {**HELLO, "isolated": False}
    cluster.cores.release()  # a third core, so that a lost worker is replaced at once
    left = [1]

    def play(_: list[StageJob]) -> None:
        with cluster.lock:
            left[0] -= 1
            if left[0] == 0:
                raise ray_cluster.Lost("killed")

    cluster.play = play
    assert executor.submit(job()).result(timeout=30).outcome == "scored"
    wait = threading.Event()
    while not any("isolate" in str(data["reason"]) for data in cluster.told):
        assert not wait.wait(0.01)
    assert executor.submit(job()).result(timeout=30).outcome == "scored", "the other worker goes on"
    executor.close()


def test_a_cluster_without_a_free_core_is_an_environment_problem(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executors, "START_SECONDS", 0.1)
    cluster.cores = threading.Semaphore(0)
    with pytest.raises(EnvironmentProblem, match=r"10\.0\.0\.1:6379 has had no free core"):
        cluster.executor()
    cluster.cores.release()
    executor = cluster.executor(workers=1)

    def play(_: list[StageJob]) -> None:
        cluster.cores.acquire()  # with the worker its node goes as well
        raise ray_cluster.Lost("node died")

    cluster.play = play
    monkeypatch.setattr(Actor, "end", lambda self: setattr(self, "ended", True))
    cluster.cores.release()
    with pytest.raises(EnvironmentProblem, match="no free core"):
        executor.submit(job()).result(timeout=30)
    executor.close()


def test_a_head_that_is_gone_ends_it(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "HEAD_SECONDS", 0.02)
    executor = cluster.executor()
    assert executor.submit(job()).result(timeout=30).outcome == "scored"
    cluster.head = False
    with pytest.raises(EnvironmentProblem, match=r"head of the cluster at .* does not answer any more"):
        while True:
            executor.submit(job()).result(timeout=30)
    executor.close()


@pytest.mark.parametrize("address", ["", "10.0.0.1", ":6379", "h:0", "h:99999", "ray://h:10001", "h:port"])
def test_addresses_that_are_none(address: str) -> None:
    with pytest.raises(UsageError, match="expected HOST:PORT"):
        ray_cluster.connect(address)


def test_an_address_where_no_head_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Closed, silent, and another kind of server; Ray is not asked."""
    monkeypatch.setattr(ray_cluster, "find_spec", lambda _: True)
    monkeypatch.setattr(ray_cluster, "ANSWER_SECONDS", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(
            EnvironmentProblem, match=f"answers at {address} .*nothing within .*ray start --head"
        ):
            ray_cluster.connect(address)

        def serve() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection, suppress(OSError):
                    connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    connection.recv(100)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(EnvironmentProblem, match="not as Ray does"):
            ray_cluster.connect(address)
        thread.join(10)
    with pytest.raises(EnvironmentProblem, match=f"answers at {address} .*[Rr]efused"):
        ray_cluster.connect(address)
    monkeypatch.setattr(ray_cluster, "find_spec", lambda _: None)
    with pytest.raises(EnvironmentProblem, match=r"discover-heuristics\[ray\]"):
        ray_cluster.connect(address)


@pytest.mark.parametrize(
    "words, code, sentence",
    [
        (("--executor", "ray"), 2, "needs --address HOST:PORT"),
        (("--address", "10.0.0.1:6379"), 2, "--address has no effect with --executor local"),
        (("--executor", "ray", "--address", "nowhere"), 2, "expected HOST:PORT"),
        (("--executor", "ray", "--address", "127.0.0.1:1"), 3, "no Ray cluster answers at 127.0.0.1:1 "),
    ],
)
def test_the_command_line_says_what_is_wrong(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    words: tuple[str, ...],
    code: int,
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(ray_cluster, "find_spec", lambda _: True)
    with pytest.raises(SystemExit) as ended:
        main(["run", "--task", "smtt", "--proposer", "genetic", "--quiet", *words])
    told = capsys.readouterr()
    assert (
        ended.value.code == code and told.out == "" and told.err.count("\n") == 1 and sentence in told.err
    ), told.err
