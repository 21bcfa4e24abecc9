"""Running tests as a plain user, for a suite that runs as root."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import numpy
import pytest

ROOT = Path(__file__).resolve().parents[2]
NOBODY = 65534

only_as_root = pytest.mark.skipif(os.geteuid() != 0, reason="these tests run as a plain user already")


def run_as_plain_user(*arguments: str) -> None:
    """pytest with ``arguments``; skipped where a plain user can run no Python with numpy and pytest."""
    python = _interpreter()
    if python is None:
        pytest.skip("a plain user can run no Python with numpy and pytest on this machine")
    done = _as_nobody(python, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]


def _interpreter() -> str | None:
    """A Python that a plain user may run, of this version and with a numpy that it can read."""
    test = f"import sys, numpy, pytest; assert sys.version_info[:2] == {tuple(sys.version_info[:2])}"
    for path in (sys.executable, "/usr/bin/python3", f"/usr/bin/python3.{sys.version_info.minor}"):
        with contextlib.suppress(OSError):
            if _as_nobody(path, "-c", test).returncode == 0:
                return path
    return None


def _as_nobody(*command: str) -> subprocess.CompletedProcess[str]:
    environment = {
        "PYTHONPATH": f"{ROOT}:{Path(numpy.__file__).parents[1]}",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PATH": os.defpath,
    }
    return subprocess.run(
        command, user=NOBODY, group=NOBODY, extra_groups=[], env=environment, cwd=ROOT, capture_output=True,
        text=True, check=False,
    )  # fmt: skip
