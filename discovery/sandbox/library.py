"""The library tier: which files the child may read, so that code can import while it runs.

The standard library without what is installed below it, and of the installed packages only those that the adapter has
loaded: beside them may lie this project, or a task, with the references that no candidate may see.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

OURS = {"discovery", "evaluators", "searchspaces", "db"}
_INSTALLED = {"site-packages", "dist-packages"}


def readable(stdlib: list[str], packages: str, adapter: str | None) -> Iterator[str]:
    """Paths of files, and of folders that may be read with all below them. ``stdlib`` and ``packages`` are the folders
    that modules come from; a package that holds the ``adapter`` is a task and stays closed."""
    for folder in {Path(path).resolve() for path in stdlib if Path(path).is_dir()}:
        for entry in folder.iterdir():
            inside = entry.resolve().is_relative_to(folder) and entry.exists()
            if inside and entry.name not in _INSTALLED:
                yield str(entry)
    home = Path(packages).resolve()
    for name in sorted({module.partition(".")[0] for module in sys.modules} - OURS):
        for entry in (home / name, home / f"{name}.py", home / f"{name}.libs"):
            if entry.exists() and not (adapter and Path(adapter).resolve().is_relative_to(entry)):
                yield str(entry)
