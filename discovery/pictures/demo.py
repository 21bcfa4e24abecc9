"""A small run in a folder of its own, and the command line in it: what a notebook needs to tell its story."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from db.ledger import Ledger
from discovery.config import RunSettings, Settings
from discovery.errors import NothingValid
from discovery.escape import plain
from discovery.run import start
from evaluators.registry import load
from evaluators.task import Task

LEDGER = "ledger.sqlite"
COLOURED = frozenset({"FORCE_COLOR", "CLICOLOR_FORCE"})
"""Variables by which a notebook asks for colours, which its text outputs do not keep."""


@dataclass(frozen=True)
class Demo:
    """A finished run. ``ledger`` stays open for as long as the notebook lives."""

    folder: Path
    ledger: Ledger
    run: str
    task: Task

    @property
    def champion(self) -> str:
        """The champion's hash."""
        found = self.ledger.champion(self.run)
        assert found is not None and found.candidate is not None, "a finished run has a champion"
        return found.candidate

    def discover(self, *words: str) -> None:
        """Run a command in the folder and show it with what it prints; its progress on stderr is not shown.

        Raises NothingValid, with what it said, when it fails."""
        print("$ discover", *words)  # noqa: T201 - what a notebook shows
        python(self.folder, "-m", "discovery.cli", *words)

    def python(self, *words: str, **variables: str) -> None:
        """Run this Python in the folder, likewise."""
        print("$ python", *words)  # noqa: T201
        python(self.folder, *words, variables=variables)


def seeded(task: str, *, samples: int, seed: int = 0) -> Demo:
    """A run of the genetic proposer in a new folder. Raises what :func:`discovery.run.start` raises."""
    folder = Path(mkdtemp(prefix="discover-"))
    settings = Settings(db=str(folder / LEDGER), samples=samples, seed=seed)
    report = start(RunSettings(task, settings))
    return Demo(folder, Ledger.open(settings.db, create=False), report.run, load(task))


def python(folder: Path, *words: str, variables: Mapping[str, str] | None = None) -> None:
    """Run this interpreter in ``folder``, the ledger there as the default one. Raises NothingValid when it fails."""
    environment: dict[str, Any] = {n: v for n, v in os.environ.items() if n not in COLOURED}
    environment |= {"DISCOVER_DB": str(folder / LEDGER), **(variables or {})}
    done = subprocess.run(
        [sys.executable, *words], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    sys.stdout.write(plain(done.stdout, lines=True))
    if done.returncode:
        raise NothingValid(f"it ended with {done.returncode}: {done.stderr.strip()[-500:]}")
