"""What a run starts from: baselines by name, candidates of earlier runs, installed plugins, or the user's files."""

from __future__ import annotations

import string
from dataclasses import dataclass
from pathlib import Path

from db.errors import LedgerError
from db.ledger import Ledger
from discovery.candidate import Candidate, Refused, check
from discovery.errors import UsageError
from discovery.installed import PREFIX, plugin
from evaluators.task import Task

MAX_FILE = 1 << 20


@dataclass(frozen=True)
class Seed:
    """A checked candidate and the name it was asked for by."""

    name: str
    candidate: Candidate


def read_code(path: Path) -> str:
    """The text of a candidate file. Raises UsageError when it is missing, too large or not UTF-8."""
    try:
        if path.stat().st_size > MAX_FILE:
            raise UsageError(f"{path} has {path.stat().st_size} bytes; a candidate has at most {MAX_FILE}")
        return path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{path} is not UTF-8 (byte {error.start}); a candidate is a Python file in UTF-8"
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror or error}") from None


def baseline_code(task: Task, name: str) -> str:
    """The text of a shipped baseline. Raises UsageError for an unknown name or a policy without candidate code."""
    baselines = task.baselines()
    if name not in baselines:
        known = ", ".join(n for n, b in baselines.items() if b.path is not None)
        raise UsageError(f"task {task.name!r} has no baseline {name!r}; it has: {known}")
    path = baselines[name].path
    if path is None:
        raise UsageError(
            f"{name!r} is a reference policy of task {task.name!r}: it has no code that a run could use"
        )
    return path.read_text(encoding="utf-8")


def resolve(task: Task, sources: tuple[str, ...], ledger: Ledger | None) -> tuple[Seed, ...]:
    """The seeds of a run; without ``sources`` those that the task names. Equal code is taken once.

    Raises UsageError naming the source that does not exist or is not a candidate."""
    seeds: dict[str, Seed] = {}
    for source in sources or task.seeds:
        try:
            candidate = check(_text(task, source, ledger), task.interface)
        except Refused as error:
            raise UsageError(f"{source!r} is not a candidate for task {task.name!r}: {error}") from None
        seeds.setdefault(candidate.hash, Seed(source.removeprefix("baseline:"), candidate))
    return tuple(seeds.values())


def _text(task: Task, source: str, ledger: Ledger | None) -> str:
    if source.startswith("baseline:"):
        return baseline_code(task, source.removeprefix("baseline:"))
    if source.startswith(PREFIX):
        return plugin(source.removeprefix(PREFIX), task).code
    if source in task.baselines():
        return baseline_code(task, source)
    if Path(source).exists():
        return read_code(Path(source))
    if ledger is not None and len(source) >= 6 and set(source.lower()) <= set(string.hexdigits):
        try:
            entry = ledger.entry_by_hash(None, source)
        except LedgerError:
            entry = None
        if entry is not None and entry.candidate is not None:
            return ledger.candidate_code(entry.candidate)
    raise UsageError(
        f"{source!r} is neither a baseline of task {task.name!r}, nor a file, nor a candidate in the ledger, nor an "
        f"installed {PREFIX}NAME; "
        f"baselines: {', '.join(n for n, b in task.baselines().items() if b.path is not None)}"
    )
