"""Runs a package's heuristic, or a run's champion, again in the sandbox and compares with what is claimed.

The final split stays closed: what a package says of it is not run again here.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from db.ledger import Ledger
from discovery.candidate import Candidate, Refused, check
from discovery.config import cores
from discovery.errors import EnvironmentProblem, NothingValid
from discovery.escape import plain
from discovery.evaluation import chain, joined, parts
from discovery.execution.base import Executor, StageResult
from discovery.execution.make import make_executor
from discovery.installed import HEURISTIC
from discovery.plugins.contents import GOLDEN
from discovery.plugins.exporting import EXPORTED
from discovery.plugins.integrity import changed, digest, made_anew
from discovery.plugins.provenance import sides
from discovery.plugins.reading import Package, read_installed, read_package
from discovery.plugins.rehearsal import calls, wrapped
from discovery.plugins.winner import winner
from evaluators.registry import load
from evaluators.task import InstanceSet, Task, aggregate

RERUN: tuple[Literal["search", "gate"], ...] = ("search", "gate")
NAMED = 5
"""Instances that are named where scores differ."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class Rescored:
    """A split measured again. ``differ`` are instances whose scores differ, where single scores are known; ``same``
    answers are None where only scores could be compared."""

    split: str
    instances: int
    recorded: float | None
    measured: float | None
    outcome: str
    differ: tuple[str, ...]
    same_answers: bool | None

    @property
    def agrees(self) -> bool:
        if self.recorded is None or self.measured is None:
            return False
        close = math.isclose(self.recorded, self.measured, rel_tol=1e-9, abs_tol=1e-12)
        return close and not self.differ and self.same_answers is not False

    def to_json(self) -> dict[str, object]:
        return {
            "split": self.split,
            "instances": self.instances,
            "recorded": self.recorded,
            "measured": self.measured,
            "outcome": self.outcome,
            "same_answers": self.same_answers,
            "differ": list(self.differ),
            "agrees": self.agrees,
        }


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
    rescored: tuple[Rescored, ...] = ()
    isolated: bool | None = None
    if not problems:
        task = load(told["task"]["name"], {k: str(v) for k, v in told["task"]["options"].items()})
        differences = made_anew(package, task)
        problems, anew = list(differences or ()), None if differences is None else not differences
        if not problems:
            problems, golden, rescored, isolated = _run(package, task, unsafe, say)
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
        scores=rescored,
        recorded=_recorded(ledger, package),
        digest=digest(package),
        isolated=isolated,
        seconds=time.monotonic() - start,
    )


def verify_run(ledger: Ledger, name: str, *, unsafe: bool = False, progress: Say | None = None) -> Verified:
    """Evaluate a run's champion again on search and gate, and compare instance by instance with the ledger.

    Raises UsageError, NothingValid, LedgerError, TaskError, SandboxUnavailable."""
    start, say = time.monotonic(), progress or (lambda _: None)
    found = winner(ledger, name)
    stored = sides(ledger, found)[0]
    rescored: list[Rescored] = []
    executor = make_executor(found.task, "local", cores(), unsafe=unsafe)
    try:
        for split in RERUN:
            record = stored.records.get(split)
            if record is None:
                continue
            instances = found.task.instances(split)
            say(_announced(found.candidate, split, instances, sum(record.cpu)))
            result = _measured(executor, found.candidate.code, instances)
            rescored.append(
                _compared(
                    split,
                    instances,
                    result,
                    stored.score(found.task, split),
                    record.answers_digest,
                    record.scores,
                )
            )
        isolated = executor.isolated
    finally:
        executor.close()
    return Verified(
        name=found.record.id,
        kind="run",
        task=found.task.name,
        run=found.record.id,
        candidate=found.candidate.hash,
        problems=tuple(_complaints(rescored, found.task)),
        files=0,
        made_anew=None,
        golden=None,
        scores=tuple(rescored),
        recorded=None,
        digest=None,
        isolated=isolated,
        seconds=time.monotonic() - start,
    )


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
        rescored = tuple(_rescored(told, task, candidate, executor, arrays, say))
        return [*problems, *_complaints(rescored, task)], golden, rescored, executor.isolated
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


def _rescored(
    told: Mapping[str, Any], task: Task, candidate: Candidate, executor: Executor, arrays: bool, say: Say
) -> list[Rescored]:
    code = candidate.code if arrays else wrapped(candidate.code, task.interface, arrays=False)
    found = []
    for split in RERUN:
        claimed = told["scores"].get(split)
        if claimed is None:
            continue
        instances = task.instances(split)
        say(_announced(candidate, split, instances, _number(claimed.get("cpu_seconds"))))
        result = _measured(executor, code, instances)
        found.append(
            _compared(
                split, instances, result, _number(claimed.get("score")), claimed.get("answers_sha256"), ()
            )
        )
    return found


def _recorded(ledger: Ledger | None, package: Package) -> bool | None:
    """Whether the ledger holds this export; None where it does not hold the run."""
    if ledger is None:
        return None
    run = str(package.provenance["run"]["id"])
    if all(r.id != run for r in ledger.runs()):
        return None
    return any(e.data.get("digest") == digest(package) for e in ledger.events(run, EXPORTED))


# -- measuring --------------------------------------------------------------------------------------------------------


def _announced(candidate: Candidate, split: str, instances: InstanceSet, seconds: float | None) -> str:
    taken = f", {seconds:.0f} s of processor time when it was scored" if seconds is not None else ""
    return f"{candidate.hash[:8]} on {split}, {len(instances)} instances{taken}"


def _measured(executor: Executor, code: str, instances: InstanceSet) -> StageResult:
    futures = [executor.submit(job) for job in parts(code, instances, executor.workers)]
    return joined([future.result() for future in futures])


def _compared(
    split: str,
    instances: InstanceSet,
    result: StageResult,
    recorded: float | None,
    answers: str | None,
    scores: Sequence[float],
) -> Rescored:
    valid = result.outcome == "scored"
    pairs = zip(instances, scores, result.scores, strict=False)
    differ = [i.id for i, a, b in pairs if not math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)]
    return Rescored(
        split=split,
        instances=len(instances),
        recorded=recorded,
        measured=aggregate(instances.instances, result.scores) if valid else None,
        outcome=result.outcome if valid else plain(f"{result.outcome}: {result.reason}", limit=200),
        differ=tuple(differ),
        same_answers=chain("", result.answers) == answers if valid and answers else None,
    )


def _complaints(rescored: Sequence[Rescored], task: Task) -> list[str]:
    told = []
    for found in rescored:
        if found.agrees or task.measured:
            continue
        if found.measured is None:
            told.append(f"on {found.split} it ended as {found.outcome}")
        elif found.differ:
            named = ", ".join(plain(i) for i in found.differ[:NAMED])
            told.append(
                f"on {found.split} {len(found.differ)} of {found.instances} scores differ, first {named}"
            )
        elif found.recorded is None or found.same_answers is not False:
            told.append(f"on {found.split} it scores {found.measured!r}; {found.recorded!r} is claimed")
        else:
            told.append(
                f"on {found.split} its answers are not those recorded (score {found.measured:.6g}, claimed "
                f"{found.recorded:.6g})"
            )
    return told


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
