"""Runs a package's heuristic, a candidate or a run's champion again in the sandbox and compares with what is claimed;
of a run, everything else is audited too (:mod:`discovery.audit`).

The final split stays closed: what a package says of it is not run again here.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from db.ledger import Ledger
from discovery.audit import Audit, audit
from discovery.candidate import Candidate, Refused, check
from discovery.config import cores
from discovery.errors import EnvironmentProblem, NothingValid
from discovery.escape import plain
from discovery.execution.base import Executor
from discovery.execution.make import make_executor
from discovery.installed import HEURISTIC
from discovery.plugins.contents import GOLDEN
from discovery.plugins.exporting import EXPORTED
from discovery.plugins.integrity import changed, digest, made_anew
from discovery.plugins.provenance import sides
from discovery.plugins.reading import Package, read_installed, read_package
from discovery.plugins.rehearsal import calls, wrapped
from discovery.plugins.rescoring import RERUN, Claim, Rescored, announced, complaints, rescored
from discovery.plugins.winner import Winner, winner
from discovery.review.names import is_candidate
from evaluators.registry import load
from evaluators.task import Task

Say = Callable[[str], None]


@dataclass(frozen=True)
class Verified:
    """What came of it. ``problems`` are sentences; none means that everything holds."""

    name: str
    kind: str
    task: str
    run: str
    candidate: str
    problems: tuple[str, ...]
    files: int
    made_anew: bool | None
    golden: bool | None
    scores: tuple[Rescored, ...]
    recorded: bool | None
    digest: str | None
    isolated: bool | None
    seconds: float
    audit: Audit | None = None

    @property
    def ok(self) -> bool:
        return not self.problems

    def to_json(self) -> dict[str, object]:
        """The object of ``verify --json``."""
        told = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {
            "ok": self.ok,
            **told,
            "problems": list(self.problems),
            "scores": [s.to_json() for s in self.scores],
            "audit": self.audit.to_json() if self.audit is not None else None,
        }


def verify_package(
    path: Path | str, *, ledger: Ledger | None = None, unsafe: bool = False, progress: Say | None = None
) -> Verified:
    """Verify a folder or wheel (a path), or an installed plugin (its name as a text). With a ledger, whether it
    recorded this export is told too.

    Raises UsageError for what is no package, TaskError when its task is not installed, EnvironmentProblem when its
    scores cannot be compared here, SandboxUnavailable."""
    start, say = time.monotonic(), progress or (lambda _: None)
    package = read_installed(path) if isinstance(path, str) else read_package(path)
    told: Mapping[str, Any] = package.provenance
    problems = changed(package)
    anew: bool | None = None
    golden: bool | None = None
    scores: tuple[Rescored, ...] = ()
    isolated: bool | None = None
    if not problems:
        task = load(told["task"]["name"], {k: str(v) for k, v in told["task"]["options"].items()})
        differences = made_anew(package, task)
        problems, anew = list(differences or ()), None if differences is None else not differences
        if not problems:
            problems, golden, scores, isolated = _run(package, task, unsafe, say)
    return Verified(
        name=package.shown,
        kind=package.kind,
        task=str(told["task"]["name"]),
        run=str(told["run"]["id"]),
        candidate=str(told["candidate"]),
        problems=tuple(problems),
        files=len(package.found),
        made_anew=anew,
        golden=golden,
        scores=scores,
        recorded=_recorded(ledger, package),
        digest=digest(package),
        isolated=isolated,
        seconds=time.monotonic() - start,
    )


def verify_run(
    ledger: Ledger, name: str, *, run: bool = True, unsafe: bool = False, progress: Say | None = None
) -> Verified:
    """Evaluate a candidate, or a run's champion, again on search and gate and compare instance by instance with the
    ledger. Of a run (and its control) every other score and decision is audited. Without ``run`` no candidate runs:
    only what follows from kept answers and stored scores is computed.

    Raises UsageError, NothingValid, LedgerError, TaskError, SandboxUnavailable."""
    start, say = time.monotonic(), progress or (lambda _: None)
    found = winner(ledger, name)
    executor = make_executor(found.task, "local", cores(), unsafe=unsafe) if run else None
    try:
        code, claims = found.candidate.code, _stored(ledger, found)
        scores = _again(executor, found.task, code, claims, say) if executor is not None else ()
        audited = None if is_candidate(name) else _audited(ledger, found, executor, say)
    finally:
        if executor is not None:
            executor.close()
    return Verified(
        name=found.record.id,
        kind="run",
        task=found.task.name,
        run=found.record.id,
        candidate=found.candidate.hash,
        problems=(*complaints(scores), *(audited.problems if audited is not None else ())),
        files=0,
        made_anew=None,
        golden=None,
        scores=scores,
        recorded=None,
        digest=None,
        isolated=executor.isolated if executor is not None else None,
        seconds=time.monotonic() - start,
        audit=audited,
    )


def _audited(ledger: Ledger, found: Winner, executor: Executor | None, say: Say) -> Audit:
    """The audit of a winner's run together with that of its control."""
    whole = Audit()
    for record in ledger.runs():
        if found.record.id in (record.id, record.control_of):
            say(f"auditing {record.id}" + (", its control" if record.control_of else ""))
            whole += audit(ledger, found.task, record, executor, say)
    return whole


# -- a package --------------------------------------------------------------------------------------------------------


def _run(
    package: Package, task: Task, unsafe: bool, say: Say
) -> tuple[list[str], bool | None, tuple[Rescored, ...], bool | None]:
    """Problems, whether the recorded calls hold, the scores, and whether it was isolated."""
    told: Mapping[str, Any] = package.provenance
    _comparable(package, task)
    try:
        candidate = check(package.file(HEURISTIC).decode("utf-8"), task.interface)
    except (Refused, UnicodeDecodeError) as error:
        return (
            [f"its heuristic is no candidate for task {task.name!r}: {plain(str(error), limit=200)}"],
            None,
            (),
            None,
        )
    if candidate.hash != told["candidate"]:
        return ["its heuristic is not the candidate that its provenance names"], None, (), None
    arrays = bool(told["arguments"]["arrays"])
    executor = make_executor(task, "local", cores(), unsafe=unsafe)
    try:
        problems, golden = _golden(package, candidate, task, executor, arrays)
        code = candidate.code if arrays else wrapped(candidate.code, task.interface, arrays=False)
        scores = _again(executor, task, code, _claimed(told), say)
        return [*problems, *complaints(scores)], golden, scores, executor.isolated
    finally:
        executor.close()


def _comparable(package: Package, task: Task) -> None:
    """Raises EnvironmentProblem when this installation would measure something else."""
    told: Mapping[str, Any] = package.provenance
    version = told["task"]["evaluator_version"]
    if version != task.version:
        raise EnvironmentProblem(
            f"{package.shown!r} was scored by version {plain(version, limit=40)} of the evaluator of {task.name!r}, "
            f"here it is {task.version}, so scores do not compare: verify it with the discover that made it"
        )
    for split in RERUN:
        claimed = told["scores"].get(split)
        if claimed is not None and claimed.get("set_sha256") != task.instances(split).digest:
            raise EnvironmentProblem(
                f"{package.shown!r} was scored on other instances of the {split} split than this installation has"
            )


def _golden(
    package: Package, candidate: Candidate, task: Task, executor: Executor, arrays: bool
) -> tuple[list[str], bool]:
    """Whether the heuristic still gives the recorded calls."""
    try:
        again = [call.to_json() for call in calls(candidate, task, executor, arrays=arrays)]
        recorded = json.loads(package.file(GOLDEN))
    except NothingValid as error:
        return [str(error)], False
    except ValueError:
        return [f"its {GOLDEN} is not JSON"], False
    same = recorded == again
    return ([] if same else ["its golden calls are not what the heuristic gives"]), same


def _claimed(told: Mapping[str, Any]) -> list[Claim]:
    """What a provenance says of each split that can be measured again."""
    found = [(split, told["scores"].get(split)) for split in RERUN]
    return [
        Claim(
            split, _number(c.get("score")), _text(c.get("answers_sha256")), (), _number(c.get("cpu_seconds"))
        )
        for split, c in found
        if c is not None
    ]


def _recorded(ledger: Ledger | None, package: Package) -> bool | None:
    """Whether the ledger holds this export; None where it does not hold the run."""
    if ledger is None:
        return None
    run = str(package.provenance["run"]["id"])
    if all(r.id != run for r in ledger.runs()):
        return None
    return any(e.data.get("digest") == digest(package) for e in ledger.events(run, EXPORTED))


# -- measuring --------------------------------------------------------------------------------------------------------


def _stored(ledger: Ledger, found: Winner) -> list[Claim]:
    """What the ledger holds of a winner."""
    own = sides(ledger, found)[0]
    kept = [(split, own.records.get(split)) for split in RERUN]
    return [
        Claim(split, own.score(found.task, split), r.answers_digest, r.scores, sum(r.cpu))
        for split, r in kept
        if r is not None
    ]


def _again(
    executor: Executor, task: Task, code: str, claims: Sequence[Claim], say: Say
) -> tuple[Rescored, ...]:
    found = []
    for claim in claims:
        say(announced(claim, task.instances(claim.split)))
        found.append(rescored(executor, task, code, claim))
    return tuple(found)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
