"""What decides a run, frozen in its row when it starts: settings, seeds, template hashes, versions.

Resume rebuilds the run from that row alone and refuses when something that would change it has changed.
"""

from __future__ import annotations

import hashlib
import os
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from db.records import RunRecord
from discovery.config import AS_STARTED, Settings, Where
from discovery.errors import UsageError
from discovery.execution.base import Executor
from discovery.population import strategies
from discovery.proposers.base import Proposer
from discovery.proposers.make import template_hashes
from discovery.values import Price, ladder, models
from evaluators.task import Task

OURS = "discover-heuristics"
PACKAGES = ("numpy", "scipy", "optuna", "langgraph", "sqlalchemy", "openai")


@dataclass(frozen=True)
class Plan:
    """What a run row freezes, as Python values."""

    settings: Settings
    seeds: tuple[tuple[str, str], ...]
    """Names and hashes."""
    replay: str | None
    unsafe: bool


def new_row(
    task: Task, plan: Plan, executor: Executor, proposer: Proposer, control_of: str | None
) -> RunRecord:
    settings = plan.settings
    frozen: dict[str, Any] = asdict(settings)
    frozen["options"] = {task.name: dict(task.settings)}
    frozen.pop("db")
    return RunRecord(
        id="r-" + os.urandom(4).hex(),
        task=task.name,
        options=dict(task.settings),
        settings={
            "settings": frozen,
            "seeds": [list(s) for s in plan.seeds],
            "replay": plan.replay,
            "replay_sha256": _file_hash(plan.replay),
            "unsafe": plan.unsafe,
            "model": proposer.model,
            "operators": sorted(proposer.operators),
        },
        seed=settings.seed,
        evaluator_version=task.version,
        versions=versions(settings),
        templates=template_hashes(settings),
        isolated=executor.isolated,
        layers=dict(executor.layers),
        control_of=control_of,
    )


def thaw(record: RunRecord, db: str, where: Where = AS_STARTED) -> Plan:
    """The plan of a run, to be gone on with ``where``. Raises UsageError for an address without a cluster."""
    frozen: dict[str, Any] = dict(record.settings)
    values: dict[str, Any] = dict(frozen["settings"])
    values["prices"] = {m: Price(**p) for m, p in values["prices"].items()}
    values["models"] = models(values.get("models", {}), "the run's row")
    values["temperature"] = ladder(values.get("temperature"))
    given = {name: value for name, value in asdict(where).items() if value is not None}
    settings = Settings(**{**values, "db": db, **given})
    if where.address is not None and settings.executor != "ray":
        raise UsageError(
            f"run {record.id} does not run on a cluster; add --executor ray, or leave out --address"
        )
    return Plan(settings, tuple((n, h) for n, h in frozen["seeds"]), frozen["replay"], frozen["unsafe"])


def _file_hash(replay: str | None) -> str | None:
    """SHA-256 of a recording in a file; None for no recording or one in the ledger."""
    if replay is None or not Path(replay).is_file():
        return None
    return hashlib.sha256(Path(replay).read_bytes()).hexdigest()


def versions(settings: Settings) -> dict[str, str]:
    found = {name: version(name) for name in PACKAGES}
    try:
        found[OURS] = version(OURS)
    except PackageNotFoundError:
        found[OURS] = "a checkout"
    python = ".".join(platform.python_version_tuple()[:2])
    return {"python": python, **found, **strategies.versions(settings.strategy)}


def refuse_changes(record: RunRecord, task: Task, plan: Plan) -> None:
    """Raises UsageError when the run would no longer be the same."""
    if record.evaluator_version != task.version:
        raise UsageError(
            f"run {record.id} was started with version {record.evaluator_version} of the evaluator of {task.name!r}, "
            f"now it is {task.version}: scores would not compare; start a new run"
        )
    if record.status == "done":
        return
    if record.settings.get("replay_sha256") != _file_hash(plan.replay):
        raise UsageError(
            f"the recording {plan.replay} of run {record.id} has changed; restore it, or start a new run"
        )
    _compare(record.id, "package", record.versions, versions(plan.settings), "install the old version")
    _compare(
        record.id, "prompt template", record.templates, template_hashes(plan.settings), "restore the template"
    )


def _compare(
    run: str, what: str, before: Mapping[str, object], now: Mapping[str, object], remedy: str
) -> None:
    for name in {*before, *now}:
        if before.get(name) != now.get(name):
            raise UsageError(
                f"run {run} cannot be resumed unchanged: {what} {name} was {before.get(name)} and is {now.get(name)}; "
                f"{remedy}, or start a new run"
            )


def arm_limits(whole: Settings, share: float) -> Settings:
    """The settings of an arm that gets this share of every limit but the samples."""

    def part(limit: float | None) -> float | None:
        return None if limit is None else limit * share

    return replace(
        whole,
        tokens=None if whole.tokens is None else int(whole.tokens * share),
        evaluations=None if whole.evaluations is None else int(whole.evaluations * share),
        cost=part(whole.cost),
        minutes=part(whole.minutes),
        cpu_minutes=part(whole.cpu_minutes),
    )


def control_samples(samples: int, share: float) -> int:
    """How many of the samples go to the control arm."""
    return max(1, round(samples * share))


def arm_samples(settings: Settings, *, control: bool) -> int:
    """The samples of one arm: of the run itself, or of its control."""
    total, share = settings.samples or 1, settings.control
    if share is None:
        return total
    own = control_samples(total, share)
    return own if control else total - own


def arm_evaluations(settings: Settings, *, control: bool) -> int | None:
    """The limit of evaluations of one arm."""
    share = settings.control
    return arm_limits(settings, 1.0 if share is None else share if control else 1 - share).evaluations
