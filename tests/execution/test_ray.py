"""Runs on a real Ray cluster of two nodes: lost workers and nodes change nothing, and nothing is left over."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conformance.executor_conformance import MIXED, SEARCH, TASK, ExecutorConformance, of
from loop_processes import command, wait
from postgres import Server
from ray_nodes import Nodes, Process, processes, running
from toy.loop import Toy, announced

import discovery.run as engine
from db.ledger import Ledger
from discovery import review
from discovery.config import RunSettings, Settings, Where
from discovery.execution.base import Executor, StageJob
from discovery.execution.leases import LOSSES, LOST
from discovery.execution.make import make_executor
from discovery.progress import StopSignal
from discovery.statistics import EarlyStop
from evaluators.task import Task
from searchspaces.tuner import Pruning

GENETIC = ["run", "--task", "knapsack", "--samples", "12", "--batch", "4", "--islands", "2", "--archive", "4",
           "--trials", "4", "--option", "gate=fixed", "--executor", "ray", "--workers", "2"]  # fmt: skip
SAME = Settings(samples=12, batch=4, islands=2, archive=4, trials=4, options={"knapsack": {"gate": "fixed"}})
"""The same settings."""


CLUSTERS: list[Nodes] = []
"""The module's cluster, for what cannot take a fixture."""


@pytest.fixture(scope="module", autouse=True)
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with running(announced(tmp_path_factory.mktemp("nodes") / "site")) as made:
        CLUSTERS[:] = [made]
        yield made


def digest(db: str, **changes: object) -> str:
    report = engine.start(RunSettings("knapsack", replace(SAME, db=db, **changes)))  # type: ignore[arg-type]
    with Ledger.open(db) as ledger:
        return ledger.digest(report.run)


def test_a_run_goes_on_without_a_worker_and_without_a_node(nodes: Nodes, installed: Path, toy: Toy) -> None:
    """kill -9 of both actors, then of a node with its actor, in the middle of a run of the real command line."""
    path = toy.folder / "lost.sqlite"
    process = command(installed, toy.folder, *GENETIC, "--address", nodes.address, "--db", str(path))
    wait(path.exists, process)
    with Ledger.open(path) as ledger:
        wait(lambda: bool(ledger.runs()), process)
        run = ledger.runs()[0].id
        for actor in nodes.freeze(2):
            os.kill(actor.pid, signal.SIGKILL)
        wait(lambda: ledger.count_events(run, LOST) > 0, process)
        wait(lambda: ledger.run(run).batches_done >= 0, process)
        frozen = nodes.freeze(2)
        zygotes = children(frozen)
        assert process.poll() is None and ledger.run(run).status == "running"
        nodes.remove()
        nodes.thaw(frozen)
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
        assert err == "" and out.count("\n") == 1, "Ray writes neither to our data nor to the terminal"
        assert ledger.digest(run) == digest(str(toy.folder / "local.sqlite"), executor="inline")
        events = [e.data for e in ledger.events(run, LOST)]
    assert any(e["jobs"] for e in events) and all(e["reason"] and e["node"] for e in events)
    gone(nodes, frozen + zygotes)
    nodes.add()


def test_losses_outlive_a_killed_driver_and_its_death_is_none(
    nodes: Nodes, installed: Path, toy: Toy
) -> None:
    """kill -9 of the actors with a job in hand, then of the driver; the resumed run ends as if nothing had been."""
    path = toy.folder / "driver.sqlite"
    process = command(installed, toy.folder, *GENETIC, "--address", nodes.address, "--db", str(path))
    wait(path.exists, process)
    with Ledger.open(path) as ledger:
        wait(lambda: bool(ledger.runs()), process)
        run = ledger.runs()[0].id
        first = nodes.freeze(2)
        wait(lambda: bool(ledger.leases(run)), process)
        (node,) = review.summary(ledger, run).to_json()["leases"]["nodes"]
        (held,) = ledger.leases(run)
        assert (node["node"], node["jobs"], node["candidate"]) == (held.node, 1, held.candidate)
        zygotes = children(first)
        assert zygotes, "one of them has a job"
        for actor in first:
            os.kill(actor.pid, signal.SIGKILL)
        wait(lambda: [(one.state, one.lost) for one in ledger.leases(run)] == [("queued", 1)], process)
        process.kill()
        process.communicate(timeout=60)
        assert [(one.job, one.lost) for one in ledger.leases(run)] == [(held.job, 1)]
        gone(nodes, first + zygotes)
        again = command(installed, toy.folder, "resume", run, "--db", str(path))
        _, err = again.communicate(timeout=240)
        assert again.returncode == 0, err
        assert ledger.digest(run) == digest(str(toy.folder / "local.sqlite"), executor="inline")
        assert [(one.job, one.state, one.lost) for one in ledger.leases(run)] == [(held.job, "done", 1)]
    gone(nodes)


SLOW = """import time
from discovery.execution.ray_cluster import Actor
run = Actor.run
Actor.run = lambda self, *chunk: (time.sleep(1.0), run(self, *chunk))[1]"""
"""A driver that hands a chunk out a second after it has taken it."""


@pytest.mark.campaign
@pytest.mark.parametrize("server", [False, True])
def test_what_takes_workers_along_is_quarantined_across_drivers(
    nodes: Nodes, installed: Path, toy: Toy, server: bool, request: pytest.FixtureRequest
) -> None:
    db = request.getfixturevalue("pg_url") if server else str(toy.folder / "bad.sqlite")
    words = [*GENETIC, "--samples", "4", "--workers", "1", "--address", nodes.address]
    process = command(installed, toy.folder, *words, "--db", db, first=SLOW)
    with Ledger.open(db) as ledger:

        def held(lost: int) -> list[str]:
            return [one.job for one in ledger.leases(run) if (one.state, one.lost) == ("held", lost)]

        wait(lambda: bool(ledger.runs()), process)
        run = ledger.runs()[0].id
        wait(lambda: ledger.champion(run) is not None and bool(held(0)), process)
        for lost in range(LOSSES - 1):
            wait(lambda lost=lost: bool(held(lost)), process)  # type: ignore[misc]
            for actor in nodes.actors():
                os.kill(actor.pid, signal.SIGKILL)
        wait(lambda: bool(held(LOSSES - 1)), process)
        (bad,) = held(LOSSES - 1)
        ended = time.time()
        process.kill()
        process.communicate(timeout=60)
        gone(nodes)
        again = command(installed, toy.folder, "resume", run, "--db", db, first=SLOW)
        wait(lambda: any(one.job == bad and one.taken > ended for one in ledger.leases(run)), again)
        for actor in nodes.actors():
            os.kill(actor.pid, signal.SIGKILL)
        _, err = again.communicate(timeout=240)
        assert again.returncode == 0, err
        kept = {one.job: (one.state, one.lost) for one in ledger.leases(run)}
        assert kept.pop(bad) == ("quarantined", LOSSES) and {state for state, _ in kept.values()} <= {"done"}
        assert [e.outcome for e in ledger.entries(run)].count("quarantined") == 1
    gone(nodes)


@pytest.mark.campaign
class TestConformance(ExecutorConformance):
    @classmethod
    def make(cls, task: Task) -> Executor:
        return make_executor(task, "ray", 1, address=CLUSTERS[0].address)  # two at once have a core each

    def test_a_watch_stops_a_job(self, executor: Executor, bag_executor: Executor) -> None:
        """Only the watches that runs use can cross."""
        best = max if TASK.direction == "maximize" else min
        unbeaten = (best(bag_executor.submit(StageJob(MIXED, SEARCH, {})).result().scores) * 2.0,) * len(
            SEARCH
        )
        for watch in (EarlyStop(unbeaten, TASK.direction), Pruning(unbeaten, TASK.direction)):
            job = StageJob(MIXED, SEARCH, {}, watch=watch)
            assert of(self.run(executor, job)) == of(bag_executor.submit(job).result())


@pytest.mark.campaign
def test_the_same_digest_everywhere(nodes: Nodes, toy: Toy, postgresql: Server, upgraded: str) -> None:
    """One machine and a cluster, one worker and two, SQLite and PostgreSQL."""
    found = {
        (executor, workers, server): digest(
            postgresql.database(upgraded) if server else str(toy.folder / f"{executor}{workers}.sqlite"),
            executor=executor,
            workers=workers,
            address=nodes.address if executor == "ray" else None,
        )
        for executor in ("local", "ray")
        for workers in (1, 2)
        for server in (False, True)
    }
    assert len(set(found.values())) == 1 and len(found) == 8


@pytest.mark.campaign
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_stopped_run_gives_its_cores_back(
    nodes: Nodes, installed: Path, toy: Toy, number: signal.Signals
) -> None:
    path = toy.folder / "stopped.sqlite"
    words = [*GENETIC, "--samples", "200", "--address", nodes.address, "--db", str(path)]
    process = command(installed, toy.folder, *words)
    wait(path.exists, process)
    with Ledger.open(path) as ledger:
        wait(lambda: bool(ledger.runs()) and ledger.runs()[0].batches_done >= 0, process)
        process.send_signal(number)
        out, err = process.communicate(timeout=120)
        gone(nodes)
        run = ledger.runs()[0].id
        assert "Traceback" not in err
        if number == signal.SIGINT:
            assert process.returncode == 130 and "discover resume" in err and out.count("\n") == 1
        stop = StopSignal()
        stop.request()
        assert engine.resume(str(path), run, where=Where(executor="inline"), stop=stop).interrupted, (
            "it can go on"
        )


@pytest.mark.campaign
def test_a_head_that_is_killed_ends_a_run_with_a_sentence(installed: Path, toy: Toy) -> None:
    with running(installed) as nodes:
        path = toy.folder / "headless.sqlite"
        words = [*GENETIC, "--samples", "20000", "--address", nodes.address, "--db", str(path)]
        process = command(installed, toy.folder, *words)
        wait(path.exists, process)
        with Ledger.open(path) as ledger:
            wait(lambda: bool(ledger.runs()) and ledger.runs()[0].batches_done >= 0, process)
            nodes.behead()
            _, err = process.communicate(timeout=120)
            assert process.returncode == 3 and err.count("\n") == 1 and "does not answer any more" in err, err
            assert ledger.runs()[0].status == "interrupted"


def children(actors: Collection[Process]) -> list[Process]:
    """The zygotes of the actors."""
    parents = {actor.pid for actor in actors}
    return [one for one, parent, _ in processes() if parent in parents]


def gone(nodes: Nodes, dead: Collection[Process] = ()) -> None:
    """Wait until no actor of ours is left, and none of those that are ``dead``."""
    end = time.monotonic() + 60
    while left := {*nodes.actors(), *(one for one, _, _ in processes() if one in dead)}:
        assert time.monotonic() < end, f"actors or zygotes {left} are left"
        time.sleep(0.1)
