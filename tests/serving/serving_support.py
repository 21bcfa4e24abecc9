"""What the tests of serving share: programs of benchmarks/, and the measured tables and traces, where a machine has
them."""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def benchmark(name: str) -> ModuleType:
    """A program of benchmarks/; the others can be imported from then on."""
    if str(BENCHMARKS) not in sys.path:
        sys.path.append(str(BENCHMARKS))
    return import_module(name)


def data() -> Path:
    """The folder of measured tables and traces; skips the test where there is none. Makes benchmarks importable."""
    found: Path | None = benchmark("serving_data").folder()
    if found is None:
        pytest.skip(
            "needs the public tables and traces: set SERVING_DATA to their folder (benchmarks/README.md)"
        )
    return found
