from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ledger_samples import seeded

from db.ledger import Ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.sqlite"


@pytest.fixture
def ledger(path: Path) -> Iterator[Ledger]:
    """A new ledger with one run that has two seeds."""
    with Ledger.open(path) as opened:
        seeded(opened)
        yield opened
