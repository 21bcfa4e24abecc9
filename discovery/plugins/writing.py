"""Puts a package into a folder: all of it or nothing, and never over something else."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from discovery.errors import EnvironmentProblem, UsageError

FILE, FOLDER = 0o644, 0o755
"""Modes, whatever the umask."""


@contextmanager
def placed(out: Path, found: Mapping[str, bytes]) -> Iterator[bool]:
    """The files in a temporary folder beside ``out``, which becomes ``out`` when the block ends well. Gives whether
    anything had to be written: a folder that holds just these files already stays as it is.

    Raises UsageError when ``out`` is something else, EnvironmentProblem when it cannot be written."""
    if same(out, found):
        yield False
        return
    _refuse_others(out)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        staged = Path(tempfile.mkdtemp(prefix=".discover-export-", dir=out.parent))
    except OSError as error:
        raise _unwritable(out, error) from None
    try:
        try:
            _write(staged, found)
        except OSError as error:
            raise _unwritable(out, error) from None
        yield True
        try:
            if out.is_dir():
                out.rmdir()
            staged.rename(out)
        except OSError as error:
            raise _unwritable(out, error) from None
    finally:
        if staged.exists():
            shutil.rmtree(staged, ignore_errors=True)


def same(out: Path, found: Mapping[str, bytes]) -> bool:
    """Whether the folder holds these files and nothing else."""
    try:
        there = {p.relative_to(out).as_posix(): p for p in out.rglob("*") if not p.is_dir()}
        return there.keys() == found.keys() and all(there[n].read_bytes() == d for n, d in found.items())
    except OSError:
        return False


def _refuse_others(out: Path) -> None:
    try:
        if out.is_symlink() or (out.exists() and not out.is_dir()):
            raise UsageError(f"--out {str(out)!r} is not a folder; name a new one")
        if out.is_dir() and any(out.iterdir()):
            raise UsageError(
                f"--out {str(out)!r} exists and holds other files; name a new folder, or empty it first"
            )
    except OSError as error:
        raise _unwritable(out, error) from None


def _write(folder: Path, found: Mapping[str, bytes]) -> None:
    folder.chmod(FOLDER)
    for name, data in found.items():
        path = folder / name
        for parent in reversed(path.relative_to(folder).parents[:-1]):
            (folder / parent).mkdir(exist_ok=True)
            (folder / parent).chmod(FOLDER)
        with path.open("wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        path.chmod(FILE)


def _unwritable(out: Path, error: OSError) -> EnvironmentProblem:
    return EnvironmentProblem(f"--out {str(out)!r} cannot be written: {error.strerror or error}")
