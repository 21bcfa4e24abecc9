"""Starting and resuming a run: everything a campaign needs is made here, and ended here.

What decides a run (settings, seeds' code, template hashes, versions) is frozen in its row when it starts; resume
rebuilds the run from that row alone and refuses when something that would change it has changed.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from db.ledger import Ledger
from db.records import EntryKey, NewEntry, RunRecord
from discovery.budget import Budget, Limits
from discovery.campaign import Campaign, Shape, group_means
from discovery.candidate import check
from discovery.config import RunSettings, Settings
from discovery.errors import EnvironmentProblem, UsageError
from discovery.evaluation import Evaluation
from discovery.execution.base import Executor
from discovery.execution.make import make_executor
from discovery.gate import Gate
from discovery.monitor import Monitor
from discovery.population.archive import Member
from discovery.population.strategy import strategy
from discovery.progress import Progress, StopSignal
from discovery.proposers.base import Brief, Proposer, ProposerUnavailable
from discovery.proposers.make import make_proposer, template_hashes
from discovery.report import RunReport, run_report
from discovery.seeds import Seed, resolve
from discovery.slots import Slots
from discovery.tuning import Tuning
from evaluators.registry import load
from evaluators.task import Task

CALL_LIMIT_FLOOR = 0.05
CALL_LIMIT_FACTOR = 20
PACKAGES = ("numpy", "scipy", "optuna", "langgraph", "sqlalchemy", "openai")

Listener = Callable[[Progress], None]


@dataclass(frozen=True)
class _Plan:
    """What a run row freezes, as Python values."""

    settings: Settings
    seeds: tuple[tuple[str, str], ...]
    """Names and hashes."""
    replay: str | None
    unsafe: bool


def start(
    chosen: RunSettings, *, on_progress: Listener | None = None, stop: StopSignal | None = None
) -> RunReport:
    """A new run, to its end or until ``stop``.

    Raises UsageError, TaskError, EnvironmentProblem, LedgerError and SandboxUnavailable; what was paid is kept."""
    task = load(chosen.task, chosen.options)
    ledger = Ledger.open(chosen.settings.db)
    try:
        seeds = resolve(task, chosen.sources, ledger)
        for seed in seeds:
            ledger.put_candidate(seed.candidate.hash, seed.candidate.code, seed.candidate.nodes)
        plan = _Plan(
            chosen.settings, tuple((s.name, s.candidate.hash) for s in seeds), chosen.replay, chosen.unsafe
        )
        return _sit(task, ledger, plan, seeds, None, on_progress, stop or StopSignal())
    finally:
        ledger.close()


def resume(
    db: str,
    run: str,
    *,
    workers: int | None = None,
    on_progress: Listener | None = None,
    stop: StopSignal | None = None,
) -> RunReport:
    """Go on with a run. A finished run only gives its report again.

    Raises UsageError when the run, a template or a package has changed since; else as :func:`start`."""
    ledger = Ledger.open(db, create=False)
    try:
        record = ledger.run(run)
        task = load(record.task, {k: str(v) for k, v in record.options.items()})
        plan = _thaw(record, db, workers)
        _refuse_changes(record, task, plan)
        seeds = tuple(
            Seed(name, check(ledger.candidate_code(hash_), task.interface)) for name, hash_ in plan.seeds
        )
        return _sit(task, ledger, plan, seeds, record, on_progress, stop or StopSignal())
    finally:
        ledger.close()


def _sit(
    task: Task,
    ledger: Ledger,
    plan: _Plan,
    seeds: tuple[Seed, ...],
    record: RunRecord | None,
    on_progress: Listener | None,
    stop: StopSignal,
) -> RunReport:
    """One sitting at a run: from its row (made if there is none) to its report."""
    with ExitStack() as stack:
        executor = make_executor(task, plan.settings.executor, plan.settings.workers, unsafe=plan.unsafe)
        stack.callback(executor.close)
        proposer = make_proposer(plan.settings, plan.replay, ledger, task.name)
        if record is None:
            record = ledger.create_run(_row(task, plan, executor, proposer))
        elif record.isolated != executor.isolated:
            raise EnvironmentProblem(
                f"run {record.id} was {'isolated' if record.isolated else 'not isolated'}, and this machine is not the "
                "same in that; resume it where it was started, or start a new run"
            )
        monitor = Monitor(record.id, task, plan.settings, proposer.name, on_progress)
        try:
            campaign, budget = _campaign(task, ledger, plan, seeds, record, executor, proposer, monitor)
            if record.status != "done":
                ledger.set_status(record.id, "running")
                _search(campaign, budget, ledger, plan.settings.db, monitor, stop)
            if stop.finishing:
                ledger.set_status(record.id, "interrupted", "stopped by the user")
            else:
                monitor.phase("finishing")
                _finish(campaign, ledger, monitor)
                ledger.set_status(record.id, "done")
        except ProposerUnavailable as error:
            ledger.set_status(record.id, "interrupted", str(error))
            raise EnvironmentProblem(
                f"{error} (run {record.id} is kept; `discover resume {record.id}` goes on with it)"
            ) from error
        except BaseException as error:
            ledger.set_status(record.id, "interrupted", f"{type(error).__name__}: {error}")
            raise
        ledger.add_event(record.id, "sitting", {"seconds": round(budget.seconds - _earlier(ledger, record.id), 3)})
        monitor.phase("done")
        return run_report(ledger, task, record.id, seconds=budget.seconds)


def _search(
    campaign: Campaign, budget: Budget, ledger: Ledger, db: str, monitor: Monitor, stop: StopSignal
) -> None:
    from discovery.graph import checkpoints, steps

    monitor.phase("searching")
    with checkpoints(_checkpoint_file(db, campaign.run)) as saver:
        for _ in steps(campaign, budget, saver):
            monitor.changed()
            if stop.finishing:
                return
    ended = budget.exhausted()
    if ended is not None:
        ledger.add_event(campaign.run, "budget", {"reason": ended})


def _finish(campaign: Campaign, ledger: Ledger, monitor: Monitor) -> None:
    """Read the champion and the best seed on the report blocks."""
    for member in {m.key: m for m in (campaign.champion, campaign.newest.seeds[0])}.values():
        result = campaign.gate.report(check(member.code, campaign.task.interface))
        monitor.gate_score(member.key, result.score)
        ledger.add_event(
            campaign.run, "report blocks", {"candidate": member.hash, "outcome": result.outcome, "score": result.score}
        )


def _campaign(
    task: Task,
    ledger: Ledger,
    plan: _Plan,
    seeds: tuple[Seed, ...],
    record: RunRecord,
    executor: Executor,
    proposer: Proposer,
    monitor: Monitor,
) -> tuple[Campaign, Budget]:
    settings = plan.settings
    evaluation = Evaluation(task, executor, ledger)
    monitor.phase("seeds")
    members = _score_seeds(task, evaluation, seeds)
    evaluation.call_limits = _call_limits(task, evaluation, seeds)
    ledger.store_seed_entries(record.id, [_seed_entry(m) for m in members], _best(members, task).key)
    limits = Limits(settings.samples or 1, settings.tokens, settings.cost, settings.minutes)
    budget = Budget(
        limits,
        lambda: ((spent := ledger.spent(record.id)).tokens, spent.cost),
        price=_price(settings),
        earlier=_earlier(ledger, record.id),
    )
    slots = Slots(
        record.id,
        record.seed,
        settings.batch,
        brief=_brief(task),
        strategy=strategy(settings.strategy),
        proposer=proposer,
        ledger=ledger,
        budget=budget,
    )
    campaign = Campaign(
        record.id,
        Shape(
            record.seed, limits.samples, settings.batch, settings.islands, settings.archive, settings.tune
        ),
        task=task,
        ledger=ledger,
        evaluation=evaluation,
        slots=slots,
        tuning=Tuning(
            record.id, record.seed, task=task, ledger=ledger, evaluation=evaluation, trials=settings.trials
        ),
        gate=Gate(record.seed, task=task, evaluation=evaluation),
        seeds=members,
        changed=monitor.changed,
    )
    campaign.restore()
    monitor.watch(campaign, budget, ledger, {m.key: s.name for m, s in zip(members, seeds, strict=True)})
    return campaign, budget


def _score_seeds(task: Task, evaluation: Evaluation, seeds: tuple[Seed, ...]) -> tuple[Member, ...]:
    """The seeds as members, scored in full. Raises UsageError when one is not valid."""
    groups = [i.group for i in task.instances("search")]
    members = []
    for number, seed in enumerate(seeds):
        evaluated = evaluation.search(seed.candidate, None)
        if evaluated.score is None:
            raise UsageError(f"the seed {seed.name!r} ended as {evaluated.outcome}: {evaluated.reason}")
        members.append(
            Member(
                key=EntryKey(-1 - number, "seed"),
                hash=seed.candidate.hash,
                code=seed.candidate.code,
                score=evaluated.score,
                scores=evaluated.scores,
                nodes=seed.candidate.nodes,
                island=0,
                by_group=group_means(groups, evaluated.scores),
            )
        )
    return tuple(members)


def _call_limits(task: Task, evaluation: Evaluation, seeds: tuple[Seed, ...]) -> dict[int, float]:
    """The run's limit of a call by size: 20 times its slowest seed, at least 50 ms. A flag, never a verdict."""
    instances = task.instances("search")
    slowest: dict[int, float] = {}
    for seed in seeds:
        for instance, seconds in zip(instances, evaluation.stage(seed.candidate, instances).cpu, strict=True):
            slowest[instance.size] = max(slowest.get(instance.size, 0.0), seconds)
    return {size: max(CALL_LIMIT_FLOOR, CALL_LIMIT_FACTOR * s) for size, s in slowest.items()}


def _seed_entry(member: Member) -> NewEntry:
    return NewEntry(
        k=member.key.k,
        kind="seed",
        operator="create",
        outcome="scored",
        candidate=member.hash,
        score=member.score,
        m=len(member.scores),
    )


def _best(members: tuple[Member, ...], task: Task) -> Member:
    sign = 1 if task.direction == "minimize" else -1
    return min(members, key=lambda m: (sign * m.score, m.nodes, m.key))


def _brief(task: Task) -> Brief:
    from discovery.baselines import best_baseline

    instances = task.instances("search")
    best = best_baseline(task, "search")
    return Brief(
        interface=task.interface,
        summary=task.summary,
        direction=task.direction,
        unit=task.unit,
        call_limit=max(instances, key=lambda i: i.size).limit,
        baseline=best,
    )


def _price(settings: Settings) -> float | None:
    price = settings.prices.get(settings.model or "")
    return max(price.input, price.output) / 1e6 if price else None


def _earlier(ledger: Ledger, run: str) -> float:
    """Wall time of earlier sittings, s."""
    return sum(float(str(e.data["seconds"])) for e in ledger.events(run, "sitting"))


def _checkpoint_file(db: str, run: str) -> Path:
    """Beside a SQLite ledger; under .discover/ for a server's database. Never inside the ledger itself."""
    from db.engine import address, file_of

    path = file_of(address(db))
    folder = path.parent if path is not None else Path(".discover")
    return folder / "checkpoints" / f"{run}.sqlite"


# -- the frozen row ---------------------------------------------------------------------------------------------------


def _row(task: Task, plan: _Plan, executor: Executor, proposer: Proposer) -> RunRecord:
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
            "unsafe": plan.unsafe,
            "model": proposer.model,
        },
        seed=settings.seed,
        evaluator_version=task.version,
        versions=_versions(),
        templates=template_hashes(settings),
        isolated=executor.isolated,
        layers={},
    )


def _thaw(record: RunRecord, db: str, workers: int | None) -> _Plan:
    from discovery.config import Price

    frozen: dict[str, Any] = dict(record.settings)
    values: dict[str, Any] = dict(frozen["settings"])
    values["prices"] = {m: Price(**p) for m, p in values["prices"].items()}
    settings = Settings(**{**values, "db": db})
    if workers is not None:
        settings = replace(settings, workers=workers)
    return _Plan(settings, tuple((n, h) for n, h in frozen["seeds"]), frozen["replay"], frozen["unsafe"])


def _versions() -> dict[str, str]:
    found = {name: version(name) for name in PACKAGES}
    return {"python": ".".join(platform.python_version_tuple()[:2]), **found}


def _refuse_changes(record: RunRecord, task: Task, plan: _Plan) -> None:
    """Raises UsageError when the run would no longer be the same."""
    if record.status == "done":
        return
    if record.evaluator_version != task.version:
        raise UsageError(
            f"run {record.id} was started with version {record.evaluator_version} of the evaluator of {task.name!r}, "
            f"now it is {task.version}: scores would not compare; start a new run"
        )
    _compare(record.id, "package", record.versions, _versions(), "install the old version")
    _compare(record.id, "prompt template", record.templates, template_hashes(plan.settings), "restore the template")


def _compare(
    run: str, what: str, before: Mapping[str, object], now: Mapping[str, object], remedy: str
) -> None:
    for name in {*before, *now}:
        if before.get(name) != now.get(name):
            raise UsageError(
                f"run {run} cannot be resumed unchanged: {what} {name} was {before.get(name)} and is {now.get(name)}; "
                f"{remedy}, or start a new run"
            )
