"""The real command line as a process, for tests that kill it."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toy.loop import TESTS

QUIET = ("--quiet", "--json")


def command(
    site: Path, folder: Path, *words: str, first: str = "", flags: tuple[str, ...] = QUIET, **how: Any
) -> subprocess.Popen[str]:
    """``discover`` with these words in ``folder``; ``first`` is Python that its process runs before it, ``how`` is for
    Popen."""
    path = os.pathsep.join([str(site), str(TESTS), *filter(None, sys.path)])
    code = f"{first}\nfrom discovery.cli.main import main; main()"
    said = [sys.executable, "-c", code, *words, *flags]
    return subprocess.Popen(
        said,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": path},
        text=True,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **how},
    )


def wait(until: Callable[[], bool], process: subprocess.Popen[str] | None = None) -> None:
    end = time.monotonic() + 120
    while not until() and (process is None or process.poll() is None):
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.005)
