from __future__ import annotations

from collections.abc import Iterator

import pytest
from sandbox_samples import ADAPTER, BARE, MEMORY

from discovery.sandbox.host import ZygoteSandbox


@pytest.fixture(scope="session")
def sandbox() -> Iterator[ZygoteSandbox]:
    with ZygoteSandbox(ADAPTER, memory=MEMORY, layers=BARE) as made:
        assert made.isolated
        yield made


@pytest.fixture(scope="session")
def full_sandbox() -> Iterator[ZygoteSandbox]:
    with ZygoteSandbox(ADAPTER, memory=MEMORY) as made:
        yield made
