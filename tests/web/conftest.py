"""The pages over a ledger that was written by hand, asked without a browser."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import review_samples as samples
from starlette.testclient import TestClient
from web_support import asked

from db.ledger import Ledger
from evaluators import registry
from evaluators.task import ShippedScore

SHIPPED = {
    "mdd": ShippedScore({"search": 4.0, "gate": 2.0}, {}, {}),
    "ils": ShippedScore({"search": 0.5, "gate": 0.5}, {}, {}),
}


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.BUILT_IN, "small", "review_samples:Small")
    monkeypatch.setattr(samples.Small, "shipped", SHIPPED)


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ledger that no test changes."""
    path = tmp_path_factory.mktemp("web") / "l.sqlite"
    with Ledger.open(path) as ledger:
        samples.filled(ledger)
    return path


@pytest.fixture
def db(filled: Path, tmp_path: Path) -> Path:
    """A copy to change."""
    return Path(shutil.copy(filled, tmp_path / "l.sqlite"))


@pytest.fixture(scope="session")
def pages(filled: Path) -> Iterator[TestClient]:
    """A client of the ledger that no test changes."""
    with asked(filled) as client:
        yield client


@pytest.fixture
def client(db: Path) -> Iterator[TestClient]:
    """A client of the copy."""
    with asked(db) as client:
        yield client
