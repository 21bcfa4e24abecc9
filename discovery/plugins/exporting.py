"""From a winner in the ledger to a package in a folder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.ledger import Ledger
from discovery.config import cores
from discovery.execution.make import make_executor
from discovery.installed import PROVENANCE
from discovery.plugins.contents import Files, files, licence_text, named
from discovery.plugins.naming import Naming
from discovery.plugins.provenance import provenance
from discovery.plugins.rehearsal import rehearse
from discovery.plugins.wheel import wheel as wheel_bytes
from discovery.plugins.wheel import wheel_name
from discovery.plugins.winner import Winner, winner
from discovery.plugins.writing import placed
from discovery.review.stored import on_search

EXPORTED = "exported"
"""The ledger event of an export; beside it stands a row of the table ``export``."""
DIST = "dist"
"""The folder of the wheel within the package's folder."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Exported:
    """A package that was written. ``digest`` is the SHA-256 of its provenance, which names the hash of every other
    file; ``command``: whether ``python -m`` runs it; ``written`` is False when the folder held just these files
    already."""

    winner: Winner
    provenance: dict[str, Any]
    folder: Path
    wheel: Path | None
    wheel_sha256: str
    wheel_bytes: int
    digest: str
    calls: int
    command: bool
    written: bool

    def to_json(self) -> dict[str, object]:
        """The object of ``export --json``."""
        package = self.provenance["package"]
        return {
            "package": package["name"],
            "module": package["module"],
            "version": package["version"],
            "licence": package["licence"],
            "requires": package["requires"],
            "task": self.provenance["task"]["name"],
            "run": self.winner.record.id,
            "candidate": self.winner.candidate.hash,
            "champion": self.winner.champion,
            "promoted": self.winner.promoted,
            "verdict": self.winner.verdict,
            "scores": {k: s["score"] if s else None for k, s in self.provenance["scores"].items()},
            "golden_calls": self.calls,
            "folder": str(self.folder),
            "wheel": str(self.wheel) if self.wheel is not None else None,
            "wheel_sha256": self.wheel_sha256,
            "wheel_bytes": self.wheel_bytes,
            "digest": self.digest,
            "written": self.written,
        }


def export(
    ledger: Ledger,
    name: str,
    out: Path,
    *,
    wheel: bool = False,
    choices: Naming | None = None,
    unsafe: bool = False,
    progress: Say | None = None,
) -> Exported:
    """Write the champion of the run ``name``, or the candidate whose hash begins so, as an installable package into
    the folder ``out`` (new, empty, or holding just this package); with ``wheel`` its wheel too, in ``out/dist``. The
    export is recorded in the ledger: the files appear only if it could be.

    Raises UsageError, NothingValid for a candidate that must not leave, EnvironmentProblem for a folder that cannot be
    written, LedgerError, TaskError, and SandboxUnavailable when this machine cannot isolate and ``unsafe`` is not
    set."""
    chosen, say = choices or Naming(), progress or (lambda _: None)
    found = winner(ledger, name)
    say(f"{found.task.name}, run {found.record.id}: {found.verdict}")
    told, calls, licence = _prepared(ledger, found, chosen, unsafe=unsafe)
    tree = files(told, found.task, found.candidate.code, calls, licence)
    data, file = wheel_bytes(told, tree), f"{DIST}/{wheel_name(told)}"
    digest = hashlib.sha256(tree[f"src/{told['package']['module']}/{PROVENANCE}"]).hexdigest()
    everything: Files = {**tree, file: data} if wheel else tree
    with placed(out, everything) as written:
        _record(ledger, found, told, out, digest)
    return Exported(
        winner=found,
        provenance=told,
        folder=out,
        wheel=out / file if wheel else None,
        wheel_sha256=hashlib.sha256(data).hexdigest(),
        wheel_bytes=len(data),
        digest=digest,
        calls=len(calls),
        command=f"src/{told['package']['module']}/__main__.py" in tree,
        written=written,
    )


def _prepared(
    ledger: Ledger, found: Winner, chosen: Naming, *, unsafe: bool
) -> tuple[dict[str, Any], list[dict[str, object]], str | None]:
    """The named provenance, the recorded calls and the licence's text."""
    stored = on_search(ledger, found.task, found.record, found.entry)
    executor = make_executor(found.task, "local", cores(), unsafe=unsafe)
    try:
        rehearsal = rehearse(found.candidate, found.task, executor, stored.cpu if stored is not None else ())
    finally:
        executor.close()
    told = named(provenance(ledger, found, rehearsal), chosen, found.task, found.candidate.code)
    licence = licence_text(chosen, told["run"]["created"], told["package"]["name"])
    return told, [call.to_json() for call in rehearsal.calls], licence


def _record(ledger: Ledger, found: Winner, told: dict[str, Any], out: Path, digest: str) -> None:
    """The row and the event of an export."""
    ledger.add_export(found.record.id, found.entry.id, str(out.absolute()))
    package = told["package"]
    ledger.add_event(
        found.record.id,
        EXPORTED,
        {
            "candidate": found.candidate.hash,
            "package": package["name"],
            "version": package["version"],
            "digest": digest,
        },
    )
