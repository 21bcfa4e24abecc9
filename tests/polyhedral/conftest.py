"""A C compiler with a cache of the tests' own."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from evaluators.polyhedral import toolchain


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty cache of compiled objects, for one test."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    toolchain.cache_folder.cache_clear()
    toolchain.compiler.cache_clear()
    yield tmp_path / "cache" / "discover" / "polyhedral"
    toolchain.cache_folder.cache_clear()
    toolchain.compiler.cache_clear()


@pytest.fixture
def gcc(cache: Path) -> toolchain.Compiler:  # noqa: ARG001 - the objects go there
    """The compiler as the task uses it."""
    if shutil.which("gcc") is None:
        pytest.skip("gcc is not installed")
    return toolchain.compiler()
