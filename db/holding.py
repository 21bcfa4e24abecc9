"""One process at a time works on a run. Whoever holds it, a second one is told so and changes nothing.

For a SQLite file the hold is a lock on a file beside the checkpoints, which the kernel releases however the process
ends; on PostgreSQL it is an advisory lock of a connection of its own, which the server releases likewise.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from db import postgresql
from db.engine import Store, file_of, translated
from db.errors import LedgerError, RunHeld

FOLDER = "checkpoints"
"""The folder beside a ledger's file that holds what belongs to its runs."""


class Holding(Store):
    @contextmanager
    def holding(self, run: str) -> Iterator[None]:
        """Hold the run while the block runs. Raises RunHeld when another process, or another part of this one, does."""
        path = file_of(self._engine.url)
        if path is not None:
            with _locked(path.parent / FOLDER / f"{run}.lock", run):
                yield
        elif self._engine.dialect.name == "postgresql":
            with (
                translated(self.where),
                self._engine.connect() as connection,
                postgresql.holding(connection, run) as held,
            ):
                if not held:
                    raise RunHeld(run)
                yield
        else:  # in memory: no other process can see it
            yield

    def abandoned(self, run: str) -> bool:
        """Whether it is certain that no process works on the run now."""
        path = file_of(self._engine.url)
        if path is not None:
            return not _is_locked(path.parent / FOLDER / f"{run}.lock")
        if self._engine.dialect.name != "postgresql":
            return False
        with self.reading() as c:
            return not postgresql.is_held(c, run)


@contextmanager
def _locked(path: Path, run: str) -> Iterator[None]:
    try:
        import fcntl
    except ImportError:  # no such lock here; candidates run on Linux only
        yield
        return
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise LedgerError(f"the lock of run {run} cannot be opened at {path}: {error.strerror}") from None
    with file:
        for last in (False, False, True):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except OSError:
                if last:
                    raise RunHeld(run) from None
                time.sleep(0.02)  # somebody may only be looking: see _is_locked
        yield  # closing the file releases the lock; the file stays, since removing it would race with the next holder


def _is_locked(path: Path) -> bool:
    """Whether a process holds the lock; True where that cannot be told. Looking holds it for a moment itself."""
    try:
        import fcntl

        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except (ImportError, OSError):
        return True
    return False
