"""Whole runs on the toy task: what a run is given, a proposer that reads from a list, and what the ledger then says."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

import discovery.run as engine
from db.ledger import Ledger
from db.records import EntryRecord
from discovery.config import RunSettings, Settings
from discovery.execution.base import Executor
from discovery.progress import StopSignal
from discovery.proposers.base import EDITS, Message, ProposerRefused, ProposerUnavailable, Reply, Request
from discovery.report import RunReport
from evaluators.task import Task

TESTS = Path(__file__).parents[1]
METADATA = {"METADATA": "Metadata-Version: 2.1\nName: toy-knapsack\nVersion: 1.0\n", "RECORD": ""}
ENTRY_POINTS = "[discover.tasks]\nknapsack = toy.task:Knapsack\n"

Script = Callable[[Request], str | Exception]


def announced(folder: Path) -> Path:
    """``folder`` with the metadata of an installed package that announces the toy task."""
    info = folder / "toy_knapsack-1.0.dist-info"
    info.mkdir(parents=True)
    for name, text in {**METADATA, "entry_points.txt": ENTRY_POINTS}.items():
        (info / name).write_text(text)
    return folder


def rule(body: str, *, keywords: str = "", head: str = "") -> str:
    """A candidate for the toy task that returns ``body``."""
    return f"{head}\n\ndef rank(weights, volumes, capacity{', *, ' + keywords if keywords else ''}):\n    {body}\n"


def density(power: float) -> str:
    """Better than the seeds; each ``power`` is another candidate."""
    return rule(f"return weights / volumes ** {power!r}")


TOKENS = 15
"""Tokens of a scripted reply, and what is reserved for it."""


class Scripted:
    """A proposer that answers by slot and attempt, remembers what it was asked, and costs nothing."""

    name = "scripted"
    model: str | None = None
    operators = EDITS
    most_tokens = TOKENS

    def __init__(self, script: Script, *, paid: bool = False) -> None:
        self.script, self.paid = script, paid
        self.asked: list[Request] = []
        self.lock = threading.Lock()

    def prompt(self, request: Request) -> tuple[Message, ...]:  # noqa: ARG002
        return ()

    def reserve(self, messages: tuple[Message, ...]) -> int:  # noqa: ARG002
        return TOKENS

    def ask(self, request: Request, messages: tuple[Message, ...]) -> Reply:  # noqa: ARG002
        with self.lock:
            self.asked.append(request)
        said = self.script(request)
        if isinstance(said, Exception):
            raise said
        return Reply(said, "scripted", prompt_tokens=10, completion_tokens=5, cost=0.0)

    @property
    def keys(self) -> list[tuple[int, int]]:
        return sorted((r.slot, r.attempt) for r in self.asked)


def by_slot(
    replies: Mapping[int, str] | Sequence[str], default: Callable[[int], str] | None = None
) -> Script:
    """The reply of a slot, whatever the attempt; ``default`` answers for the others."""
    known = dict(enumerate(replies)) if not isinstance(replies, Mapping) else dict(replies)

    def script(request: Request) -> str:
        if request.slot in known:
            return known[request.slot]
        return default(request.slot) if default else density(0.5 + request.slot / 100)

    return script


class Kept:
    """An executor that a run may use and that is still open after it."""

    def __init__(self, executor: Executor) -> None:
        self.name, self.workers = executor.name, executor.workers
        self.isolated, self.layers = executor.isolated, executor.layers
        self.submit = executor.submit

    def close(self) -> None:
        """Others go on with it."""


class Toy:
    """Starts and resumes runs in ``folder``. Inline runs share the executor ``warm``; others make their own."""

    SMALL = Settings(samples=8, batch=4, islands=2, archive=4, trials=4, executor="inline", workers=1)

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, warm: Executor) -> None:
        self.folder, self._patch = folder, monkeypatch
        make = engine.make_executor

        def shared(task: Task, name: str, workers: int, **more: Any) -> Executor:
            return cast(Executor, Kept(warm)) if name == "inline" else make(task, name, workers, **more)

        monkeypatch.setattr(engine, "make_executor", shared)

    def settings(self, **changes: Any) -> Settings:
        chosen = replace(self.SMALL, **{k: v for k, v in changes.items() if k not in ("db", "gate")})
        options = {"knapsack": {"gate": changes.get("gate", "fixed")}}
        return replace(chosen, db=str(self.folder / f"{changes.get('db', 'ledger')}.sqlite"), options=options)

    def propose(self, proposer: Any) -> None:
        """From now on runs ask this proposer."""
        self._patch.setattr(engine, "make_proposer", lambda *_: proposer)

    def start(
        self, *, stop: StopSignal | None = None, sources: tuple[str, ...] = (), **changes: Any
    ) -> RunReport:
        chosen = RunSettings("knapsack", self.settings(**changes), sources)
        return engine.start(chosen, stop=stop)

    def resume(self, run: str, *, db: str = "ledger", **more: Any) -> RunReport:
        return engine.resume(str(self.folder / f"{db}.sqlite"), run, **more)

    @contextmanager
    def ledger(self, db: str = "ledger") -> Iterator[Ledger]:
        opened = Ledger.open(self.folder / f"{db}.sqlite", create=False)
        try:
            yield opened
        finally:
            opened.close()

    def digest(self, run: str, db: str = "ledger") -> str:
        with self.ledger(db) as ledger:
            return ledger.digest(run)

    def entries(self, run: str, db: str = "ledger") -> dict[tuple[int, str], EntryRecord]:
        """By (k, kind), without the seeds."""
        with self.ledger(db) as ledger:
            return {(e.k, e.kind): e for e in ledger.entries(run) if e.kind != "seed"}

    def checkpoints(self, run: str) -> int:
        """How many checkpoints a run has on disk."""
        connection = sqlite3.connect(self.folder / "checkpoints" / f"{run}.sqlite")
        try:
            return int(connection.execute("SELECT count(*) FROM checkpoints").fetchone()[0])
        finally:
            connection.close()


__all__ = [
    "ProposerRefused",
    "ProposerUnavailable",
    "Scripted",
    "Toy",
    "announced",
    "by_slot",
    "density",
    "rule",
]
