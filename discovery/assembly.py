"""A run's campaign put together from its row: the seeds scored, every part made, what the ledger holds taken in."""

from __future__ import annotations

from db.ledger import Ledger
from db.records import EntryKey, NewEntry, RunRecord
from discovery.baselines import best_baseline, by_class
from discovery.budget import Budget
from discovery.campaign import Campaign
from discovery.errors import UsageError
from discovery.evaluation import Evaluation
from discovery.execution.metered import Metered
from discovery.feedback import Feedback
from discovery.frozen import (
    Plan,
)
from discovery.gate import Gate
from discovery.members import scored_member
from discovery.monitor import Monitor
from discovery.population import strategies
from discovery.population.archive import Member
from discovery.population.novelty import Novelty
from discovery.proposers.base import Brief, Proposer, Rival
from discovery.proposers.make import make_choice
from discovery.recorded import recorded_run, recorded_submissions, recorded_widths
from discovery.seeds import Seed
from discovery.shape import Shape
from discovery.slots import Slots
from discovery.spending import budget_of
from discovery.submissions import Inbox
from discovery.tuning import Tuning
from evaluators.policy import PolicyTask
from evaluators.task import Keeping, Task

CALL_LIMIT_FLOOR = 0.05
CALL_LIMIT_FACTOR = 20


def campaign_of(
    task: Task,
    ledger: Ledger,
    plan: Plan,
    seeds: tuple[Seed, ...],
    record: RunRecord,
    executor: Metered,
    proposer: Proposer,
    monitor: Monitor,
) -> tuple[Campaign, Budget]:
    """The campaign as far as the ledger holds it, and its budget. Raises UsageError when a seed is not valid."""
    settings = plan.settings
    budget = budget_of(settings, ledger, record.id, executor, proposer.most_tokens)
    evaluation = Evaluation(task, executor, ledger)
    monitor.phase("seeds")
    members = _score_seeds(task, evaluation, seeds)
    evaluation.call_limits = _call_limits(task, evaluation, seeds)
    ledger.store_seed_entries(record.id, [_seed_entry(m) for m in members], _best(members, task).key)
    campaign = Campaign(
        record.id,
        Shape(
            record.seed,
            budget.limits.samples,
            settings.batch,
            settings.islands,
            settings.archive,
            settings.tune,
            migration=settings.migration,
            cells=settings.cells,
        ),
        task=task,
        ledger=ledger,
        evaluation=evaluation,
        slots=_slots(task, ledger, plan, seeds, record, proposer),
        tuning=Tuning(
            record.id,
            record.seed,
            task=task,
            ledger=ledger,
            evaluation=evaluation,
            trials=settings.trials,
            lift=settings.lift_constants,
            recorded=recorded_run(plan.replay) if task.measured else None,
        ),
        gate=Gate(record.seed, task=task, evaluation=evaluation),
        novelty=Novelty(
            1.0 if settings.novelty is None else settings.novelty,
            interface=task.interface,
            direction=task.direction,
            code=ledger.candidate_code,
            whole=len(task.instances("search")) if isinstance(task, Keeping) else None,
        ),
        seeds=members,
        changed=monitor.changed,
        recorded=recorded_widths(ledger, plan.replay, task.name),
        inbox=Inbox(record.id, task.interface, ledger, recorded_submissions(ledger, plan.replay, task.name)),
    )
    campaign.restore()
    monitor.watch(campaign, budget, ledger, {m.key: s.name for m, s in zip(members, seeds, strict=True)})
    return campaign, budget


def _slots(
    task: Task, ledger: Ledger, plan: Plan, seeds: tuple[Seed, ...], record: RunRecord, proposer: Proposer
) -> Slots:
    rival = by_class(task)
    return Slots(
        record.id,
        record.seed,
        plan.settings.batch,
        brief=brief_of(task),
        strategy=strategies.make(plan.settings),
        proposer=proposer,
        ledger=ledger,
        feedback=Feedback(
            task.instances("search").instances,
            {s.candidate.hash: s.name for s in seeds},
            task.direction,
            None if rival is None else Rival(*rival),
        ),
        choice=make_choice(plan.settings, record.seed, task.direction),
    )


def _score_seeds(task: Task, evaluation: Evaluation, seeds: tuple[Seed, ...]) -> tuple[Member, ...]:
    """The seeds as members, scored in full. Raises UsageError when one is not valid."""
    members = []
    for number, seed in enumerate(seeds):
        evaluated = evaluation.search(seed.candidate, None)
        if evaluated.score is None:
            raise UsageError(f"the seed {seed.name!r} ended as {evaluated.outcome}: {evaluated.reason}")
        difference = evaluation.confirm(seed.candidate)
        if difference is not None:
            raise UsageError(f"the seed {seed.name!r} depends on something besides its input: {difference}")
        members.append(scored_member(task, EntryKey(-1 - number, "seed"), 0, seed.candidate, evaluated))
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


def brief_of(task: Task) -> Brief:
    """What every request says of the task."""
    instances = task.instances("search")
    best = best_baseline(task, "search")
    longest = max(instances, key=lambda i: i.size).limit
    return Brief(
        interface=task.interface,
        summary=task.summary,
        direction=task.direction,
        unit=task.unit,
        call_limit=task.decision_limit if isinstance(task, PolicyTask) else longest,
        baseline=best,
    )
