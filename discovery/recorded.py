"""A recorded run, from the ledger or from a file, and the replay that takes its course from it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast, get_args

from db.errors import LedgerError
from db.ledger import Ledger
from db.records import RunRecord
from discovery.candidate import Refused, check
from discovery.config import RunSettings, Settings
from discovery.errors import UsageError
from discovery.frozen import OURS, arm_evaluations, arm_samples, thaw
from discovery.population.strategies import STRATEGY
from discovery.proposers.base import EDITS, WRITES, Operator, Reply
from discovery.proposers.cassette import OWN, Cassette, Course, Key, read_cassette, read_course
from discovery.seeds import Seed
from discovery.submissions import Recorded
from evaluators.task import Task

EVALUATOR = "evaluator"
"""The evaluator's version, among those of the packages."""
DECIDING = (EVALUATOR, OURS, "python", "numpy", "scipy", "optuna")
"""Whose version can change a score or a draw; the package of an installed strategy besides."""


def recording(source: str, ledger: Ledger, task: str) -> Cassette:
    """The recorded run ``source``: a file, or the id of a run in the ledger.

    Raises UsageError for a recording of another task or a file that cannot be used, LedgerError when there is no such
    run."""
    found = read_cassette(Path(source)) if Path(source).is_file() else of_run(ledger, _row(ledger, source))
    if found.task != task:
        raise UsageError(f"the recording {source!r} is of task {found.task[:60]!r}, not of {task!r}")
    return found


def _row(ledger: Ledger, source: str) -> RunRecord:
    try:
        return ledger.run(source)
    except LedgerError:
        if os.sep in source or Path(source).suffix:
            raise UsageError(f"--replay {source!r}: there is no such file and no such run") from None
        raise


def of_run(ledger: Ledger, record: RunRecord) -> Cassette:
    """All that was asked and answered in the integrated batches of a run."""
    replies: dict[Key, Reply] = {}
    refused: dict[Key, str] = {}
    lost: dict[Key, str] = {}
    proposals = [p for p in ledger.proposals(record.id) if p.batch <= record.batches_done]
    for p in proposals:
        key = (p.k, p.r)
        if p.state == "replied":
            replies[key] = Reply(
                p.reply or "",
                p.model or p.proposer,
                p.prompt_tokens,
                p.completion_tokens,
                p.cost,
                p.finish,
                p.seconds,
            )
        elif p.state == "refused":
            refused[key] = p.reason
        elif p.state == "failed":
            lost[key] = p.reason
    genetic = any(p.proposer == "genetic" for p in proposals)
    course = _course(ledger, record, EDITS if genetic else WRITES)
    return Cassette(record.task, replies, refused, lost, course)


def _course(ledger: Ledger, record: RunRecord, usual: frozenset[Operator]) -> Course:
    """``usual`` are the operators where the row does not tell them."""
    plan = thaw(record, "")
    own = {name: getattr(Settings(), name) for name in OWN}
    control = record.control_of is not None
    arm = {
        "samples": arm_samples(plan.settings, control=control),
        "evaluations": arm_evaluations(plan.settings, control=control),
    }
    named = record.settings.get("operators")
    operators = frozenset(o for o in get_args(Operator) if o in named) if isinstance(named, list) else usual
    return Course(
        options={name: str(value) for name, value in record.options.items()},
        settings=replace(plan.settings, **{**own, **arm}),
        seeds=tuple((name, ledger.candidate_code(hash_)) for name, hash_ in plan.seeds),
        operators=operators,
        widths=_widths(ledger, record),
        submissions=_submissions(ledger, record),
        digest=ledger.digest(record.id),
        versions={
            EVALUATOR: record.evaluator_version,
            **{name: str(value) for name, value in record.versions.items()},
        },
    )


def _widths(ledger: Ledger, record: RunRecord) -> tuple[int, ...]:
    counts = [0] * (record.batches_done + 1)
    for entry in ledger.entries(record.id):
        if entry.kind == "own":
            counts[entry.batch] += 1
    return tuple(counts)


# -- the replay -------------------------------------------------------------------------------------------------------


def as_recorded(chosen: RunSettings, recorded: Cassette, ledger: Ledger) -> RunSettings:
    """``chosen`` with all that decided the recorded course; of a file of version 1, only the number of its slots."""
    assert chosen.replay is not None
    file = Path(chosen.replay).is_file()
    source = str(Path(chosen.replay).resolve()) if file else ledger.run(chosen.replay).id
    course = recorded.course
    if course is None:
        slots = [slot for asked in (recorded.replies, recorded.refused, recorded.lost) for slot, _ in asked]
        samples = chosen.settings.samples or max(slots, default=0) + 1
        return replace(chosen, settings=replace(chosen.settings, samples=samples), replay=source)
    own = {name: getattr(chosen.settings, name) for name in ("db", "workers", "executor", "address")}
    options = {chosen.task: dict(course.options)}
    settings = replace(course.settings, proposer="replay", options=options, **own)
    return replace(chosen, settings=settings, sources=(), replay=source)


def recorded_seeds(recorded: Cassette | None, task: Task) -> tuple[Seed, ...]:
    """The seeds that the recorded run began with; none where it does not tell. Raises UsageError for one that is no
    candidate."""
    if recorded is None or recorded.course is None:
        return ()
    seeds: dict[str, Seed] = {}
    try:
        for name, code in recorded.course.seeds:
            candidate = check(code, task.interface)
            seeds.setdefault(candidate.hash, Seed(name, candidate))
    except Refused as error:
        raise UsageError(
            f"a seed of the recording is not a candidate for task {task.name!r}: {error}"
        ) from None
    return tuple(seeds.values())


def recorded_widths(ledger: Ledger, replay: str | None, task: str) -> dict[int, int] | None:
    """How many slots each batch of the replayed run had; None where the samples decide (no replay, or a file that does
    not tell)."""
    course = recording(replay, ledger, task).course if replay is not None else None
    return None if course is None else dict(enumerate(course.widths))


def recorded_run(replay: str | None) -> str | None:
    """The id of the replayed run where it is one of the ledger; None for a file, or no replay."""
    return None if replay is None or Path(replay).is_file() else replay


def recorded_submissions(ledger: Ledger, replay: str | None, task: str) -> tuple[Recorded, ...]:
    """What the replayed run took in from outside its slots."""
    course = recording(replay, ledger, task).course if replay is not None else None
    return () if course is None else course.submissions


def _submissions(ledger: Ledger, record: RunRecord) -> tuple[Recorded, ...]:
    entries = ledger.entries(record.id)
    keys, parents = {e.id: e.key for e in entries}, ledger.parents(record.id)
    return tuple(
        Recorded(
            batch=e.batch,
            number=e.k,
            operator=cast(Operator, e.operator),
            parents=tuple(keys[p] for p in parents.get(e.id, ())),
            code=None if e.candidate is None else ledger.candidate_code(e.candidate),
            reason=e.reason if e.candidate is None else "",
        )
        for e in entries
        if e.kind == "submitted"
    )


@dataclass(frozen=True)
class Repeated:
    """Whether a replay came to the digest of what it repeats. ``differs``: versions that are not those of the
    recording, and whatever else may be why it did not."""

    source: str
    same: bool
    differs: tuple[str, ...]


def repeated(ledger: Ledger, record: RunRecord, *, measured: bool) -> Repeated | None:
    """How a finished replay compares with its recording; None for any other run, and where the recording is gone or
    does not tell. ``measured``: whether the task's scores are."""
    source = record.settings.get("replay")
    if not isinstance(source, str) or record.status != "done":
        return None
    try:
        if Path(source).is_file():
            course = read_course(Path(source))
        else:
            course = _course(ledger, ledger.run(source), WRITES)
    except (UsageError, LedgerError):
        return None
    if course is None:
        return None
    own: Mapping[str, object] = {EVALUATOR: record.evaluator_version, **record.versions}
    differs = tuple(
        f"{name} {course.versions.get(name)} then, {own.get(name)} now"
        for name in (*DECIDING, *sorted(n for n in {*own, *course.versions} if n.startswith(STRATEGY)))
        if course.versions.get(name) != own.get(name)
    )
    same = ledger.digest(record.id) == course.digest
    if measured and not same:
        differs += ("scores are measured, and those that this ledger does not hold were measured anew",)
    return Repeated(source, same, differs)
