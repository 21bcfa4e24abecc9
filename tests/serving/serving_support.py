"""What the tests of serving share: the measured tables and traces, where a machine has them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def data() -> Path:
    """The folder of measured tables and traces; skips the test where there is none. Makes benchmarks importable."""
    if str(BENCHMARKS) not in sys.path:
        sys.path.append(str(BENCHMARKS))
    from serving_data import folder

    found = folder()
    if found is None:
        pytest.skip(
            "needs the public tables and traces: set SERVING_DATA to their folder (benchmarks/README.md)"
        )
    return found
