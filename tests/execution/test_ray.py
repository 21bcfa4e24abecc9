"""Runs on a real Ray cluster of two nodes: lost workers and nodes change nothing, and nothing is left over."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from loop_processes import command, wait
from ray_nodes import Nodes, processes, running
from toy.loop import Toy, announced

import discovery.run as engine
from db.ledger import Ledger
from discovery.config import RunSettings, Settings

GENETIC = ["run", "--task", "knapsack", "--samples", "12", "--batch", "4", "--islands", "2", "--archive", "4",
           "--trials", "4", "--option", "gate=fixed", "--executor", "ray", "--workers", "2"]  # fmt: skip
SAME = Settings(samples=12, batch=4, islands=2, archive=4, trials=4, options={"knapsack": {"gate": "fixed"}})
"""The same settings."""


@pytest.fixture(scope="module")
def nodes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    with running(announced(tmp_path_factory.mktemp("nodes") / "site")) as made:
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
        for pid in nodes.freeze(2):
            os.kill(pid, signal.SIGKILL)
        wait(lambda: ledger.count_events(run, engine.LOST) > 0, process)
        wait(lambda: ledger.run(run).batches_done >= 0, process)
        frozen = nodes.freeze(2)
        assert process.poll() is None and ledger.run(run).status == "running"
        nodes.remove()
        for pid in set(nodes.actors()) & set(frozen):
            os.kill(pid, signal.SIGCONT)
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
        assert err == "" and out.count("\n") == 1, "Ray writes neither to our data nor to the terminal"
        assert ledger.digest(run) == digest(str(toy.folder / "local.sqlite"), executor="inline")
        events = [e.data for e in ledger.events(run, engine.LOST)]
    assert events and all(e["jobs"] and e["reason"] and e["node"] for e in events)
    end = time.monotonic() + 60
    while nodes.actors() or any(parent in frozen for _, parent, _ in processes()):
        assert time.monotonic() < end, "an actor or its zygote is left"
        time.sleep(0.1)
    nodes.add()
