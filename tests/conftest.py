"""What all tests share: the toy task as an installed package, ledgers in a temporary folder, patient hypothesis."""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # as the command line does it, before numpy is imported
os.environ.setdefault("OMP_NUM_THREADS", "1")  # and PyTorch: tests share the cores already

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from postgres import Server, running
from toy.loop import Toy, announced

from db.ledger import Ledger
from discovery.execution.base import Executor
from discovery.execution.make import make_executor
from evaluators.registry import load
from evaluators.task import Task

os.environ["SERVING_CORE"] = "sources"
"""The suite tests the sources; serving/test_compiled.py holds what `make fast` makes of them to those."""
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The toy task announced by the metadata of a package, as a third party does it; gives the folder."""
    folder = announced(tmp_path / "site")
    monkeypatch.syspath_prepend(str(folder))
    return folder


@pytest.fixture
def knapsack(installed: Path) -> Task:  # noqa: ARG001 - announces the task
    return load("knapsack")


@pytest.fixture
def toy(installed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bag_executor: Executor) -> Toy:  # noqa: ARG001
    """Runs on the toy task in a folder of their own."""
    return Toy(tmp_path, monkeypatch, bag_executor)


@pytest.fixture
def new_ledger(tmp_path: Path) -> Iterator[Callable[[str], Ledger]]:
    opened: list[Ledger] = []

    def make(name: str = "ledger") -> Ledger:
        opened.append(Ledger.open(tmp_path / f"{name}.sqlite"))
        return opened[-1]

    yield make
    for ledger in opened:
        ledger.close()


@pytest.fixture(scope="session")
def bag_executor() -> Iterator[Executor]:
    """One warm zygote for the toy task, used inline."""
    from toy.task import Knapsack

    executor = make_executor(Knapsack({}), "inline", 1)
    yield executor
    executor.close()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[Server]:
    """A real server. Skips where none is installed."""
    with running() as server:
        yield server


@pytest.fixture(scope="session")
def upgraded(postgresql: Server) -> str:
    """The name of a database that was brought to the newest schema, to make others like it."""
    from db.upgrade import upgrade
    from discovery.checkpoints import prepare

    postgresql.sql("CREATE DATABASE upgraded")
    upgrade(postgresql.url("upgraded"))
    prepare(postgresql.url("upgraded"))
    return "upgraded"


@pytest.fixture
def pg_url(postgresql: Server, upgraded: str) -> str:
    """The URL of a ledger of the test's own."""
    return postgresql.database(upgraded)
