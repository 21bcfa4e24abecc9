"""What ``doctor`` looks at, one small function each."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from discovery.config import Loaded, cores, masked

PACKAGES = ("langgraph", "langgraph-checkpoint-sqlite", "openai", "optuna", "sqlalchemy", "numpy", "scipy")
OURS = ("discovery", "evaluators", "searchspaces", "db")


@dataclass(frozen=True)
class Check:
    """One line of the doctor. ``ok`` is None for what is only told."""

    name: str
    ok: bool | None
    detail: str


def examine(loaded: Loaded) -> list[Check]:
    """Every check, in order. None of them writes, but for a probe child of the sandbox."""
    parts: tuple[Callable[[], Iterator[Check]], ...] = (
        _machine, _sandbox, _packages, lambda: _ledger(loaded.settings.db), _tasks, _tracing, _models,
    )  # fmt: skip
    return [check for part in parts for check in part()]


def own_version() -> str:
    """The version of the installed package; a plain checkout has none."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("discover-heuristics")
    except PackageNotFoundError:
        return "(not installed)"


def _machine() -> Iterator[Check]:
    yield Check("discover", None, own_version())
    yield Check("python", None, f"{platform.python_version()} on {platform.system()} {platform.release()}")
    yield Check("cores", None, str(cores()))


def _sandbox() -> Iterator[Check]:
    try:
        from discovery.sandbox.machine import findings

        yield from (Check(*finding) for finding in findings())
    except (ImportError, OSError) as error:
        yield Check("sandbox", False, f"{error}; see README.md, “Machines that cannot isolate”")


def _packages() -> Iterator[Check]:
    from importlib.metadata import PackageNotFoundError, version
    from importlib.util import find_spec

    for name in PACKAGES:
        try:
            yield Check(name, None, version(name))
        except PackageNotFoundError:
            yield Check(name, False, "not installed; `make` in the project folder installs it")
    home = Path(__file__).resolve().parents[2]
    for name in OURS:
        spec = find_spec(name)
        where = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        own = where is not None and where.parents[1] == home
        detail = "" if own else f"{where} hides ours in {home}; use an environment of its own"
        if not own:
            yield Check(f"package {name}", False, detail)
    yield Check("own packages", True, str(home))


def _ledger(name: str) -> Iterator[Check]:
    from db.engine import address, check_file, connect, file_of, require_head, revision
    from db.errors import LedgerError

    try:
        url = address(name)
        path = file_of(url)
        if path is not None and not path.exists():
            folder = next(p for p in (path.parent, *path.absolute().parents) if p.exists())
            fine = os.access(folder, os.W_OK)
            yield Check(
                "ledger",
                fine,
                f"{path}: " + ("made by the first run" if fine else f"{folder} is not writable"),
            )
            return
        if path is not None:
            check_file(path, create=False)
        engine = connect(url)
        try:
            found = revision(engine)
            if path is None:
                require_head(engine, found)
        finally:
            engine.dispose()
        writable = path is None or (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))
        detail = f"{masked(name)}, schema {found}" if writable else f"{path} or its folder is not writable"
        yield Check("ledger", writable, detail)
    except LedgerError as error:
        yield Check("ledger", False, str(error))


def _tasks() -> Iterator[Check]:
    from evaluators.registry import load, names
    from evaluators.task import TaskError

    for name in names():
        try:
            load(name)
        except TaskError as error:
            yield Check(f"task {name}", False, str(error))
        else:
            yield Check(f"task {name}", True, "loads")


def _tracing() -> Iterator[Check]:
    """LangGraph sends traces to LangSmith when the environment asks for it: prompts would leave the machine."""
    asked = [
        n
        for n in ("LANGSMITH_TRACING", "LANGSMITH_TRACING_V2", "LANGCHAIN_TRACING", "LANGCHAIN_TRACING_V2")
        if os.environ.get(n, "").lower() in ("true", "1")
    ]
    yield Check("tracing", not asked, f"{asked[0]} sends run data to LangSmith; unset it" if asked else "off")


def _models() -> Iterator[Check]:
    from discovery.cli import servers

    found = servers.find()
    for server in found:
        yield Check("model server", None, server.sentence)
    if not found:
        yield Check("model server", None, "none answers on this machine; the genetic proposer needs none")
