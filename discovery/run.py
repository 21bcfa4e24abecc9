"""Starting and resuming a run: everything a campaign needs is made here, and ended here.

What decides a run (settings, seeds' code, template hashes, versions) is frozen in its row when it starts; resume
rebuilds the run from that row alone and refuses when something that would change it has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from db.errors import LedgerLocked, LedgerUnwritable
from db.ledger import Ledger
from db.records import RunRecord
from discovery.assembly import brief_of, campaign_of
from discovery.budget import Budget
from discovery.campaign import Campaign
from discovery.candidate import check
from discovery.config import AS_STARTED, RunSettings, Where
from discovery.errors import EnvironmentProblem, UsageError
from discovery.execution.base import Executor
from discovery.execution.leases import LeaseBook
from discovery.execution.make import make_executor
from discovery.execution.metered import Metered
from discovery.frozen import (
    Plan,
    arm_limits,
    control_samples,
    new_row,
    refuse_changes,
    thaw,
)
from discovery.monitor import Monitor
from discovery.population import strategies
from discovery.progress import Progress, StopSignal
from discovery.prompts.trial import try_templates
from discovery.proposers.base import ProposerUnavailable
from discovery.proposers.make import make_proposer
from discovery.proposers.patience import Patience
from discovery.recorded import as_recorded, recorded_seeds, recording
from discovery.report import RunReport, run_report
from discovery.seeds import Seed, resolve
from discovery.spending import check_limits, earlier, forecast_of, times
from evaluators.registry import load
from evaluators.task import Task

Listener = Callable[[Progress], None]


class Visitor(Protocol):
    """Somebody who comes to a run with an answer or a candidate, and waits for what becomes of it."""

    def arrive(self, ledger: Ledger, run: str) -> None:
        """Hand over what was brought. The run is held, and nothing has been done yet; an error changes nothing."""
        ...

    def leave(self, campaign: Campaign) -> None:
        """Look at what became of it. The run is as far as it can go; candidates can still be run."""
        ...


def start(
    chosen: RunSettings,
    *,
    on_progress: Listener | None = None,
    stop: StopSignal | None = None,
    ready: Callable[[], None] | None = None,
    tell: Callable[[str], None] | None = None,
) -> RunReport:
    """A new run, to its end or until ``stop``. ``ready`` is called once everything that can be refused without asking
    anybody is in order, ``tell`` is told the forecast, in sentences.

    Raises UsageError, TaskError, EnvironmentProblem, LedgerError and SandboxUnavailable; what was paid is kept."""
    ledger = Ledger.open(chosen.settings.db)
    try:
        recorded = recording(chosen.replay, ledger, chosen.task) if chosen.replay is not None else None
        if recorded is not None:
            chosen = as_recorded(chosen, recorded, ledger)
        check_limits(chosen.settings)
        strategies.make(chosen.settings)  # an unknown one is refused before anything is paid
        task = load(chosen.task, chosen.options)
        seeds = recorded_seeds(recorded, task) or resolve(task, chosen.sources, ledger)
        if chosen.settings.templates:
            try_templates(brief_of(task), seeds[0].candidate.code, Path(chosen.settings.templates))
        if ready is not None:
            ready()
        for seed in seeds:
            ledger.put_candidate(seed.candidate.hash, seed.candidate.code, seed.candidate.nodes)
        plan = Plan(
            chosen.settings, tuple((s.name, s.candidate.hash) for s in seeds), chosen.replay, chosen.unsafe
        )
        return _Sitting(task, ledger, plan, seeds, on_progress, stop or StopSignal(), tell).run(None)
    finally:
        ledger.close()


def resume(
    db: str,
    run: str,
    *,
    where: Where = AS_STARTED,
    on_progress: Listener | None = None,
    stop: StopSignal | None = None,
    visitor: Visitor | None = None,
) -> RunReport:
    """Go on with a run as far as it can go. A finished run only gives its report again.

    Raises RunHeld when another process works on it, and
    UsageError when the run, a template or a package has changed since; else as :func:`start`."""
    ledger = Ledger.open(db, create=False)
    try:
        record = ledger.run(run)
        if record.control_of is not None:  # a control is an arm of its run, which goes on where it stopped
            record = ledger.run(record.control_of)
        task = load(record.task, {k: str(v) for k, v in record.options.items()})
        plan = thaw(record, db, where)
        seeds = tuple(
            Seed(name, check(ledger.candidate_code(hash_), task.interface)) for name, hash_ in plan.seeds
        )
        return _Sitting(task, ledger, plan, seeds, on_progress, stop or StopSignal(), visitor=visitor).run(
            record
        )
    finally:
        ledger.close()


@dataclass(frozen=True)
class _Sitting:
    """One sitting at a run and its control arm: from their rows (made if there are none) to the report."""

    task: Task
    ledger: Ledger
    plan: Plan
    seeds: tuple[Seed, ...]
    on_progress: Listener | None
    stop: StopSignal
    tell: Callable[[str], None] | None = None
    visitor: Visitor | None = None

    def run(self, record: RunRecord | None) -> RunReport:
        """The run, then its control when one was asked for and nothing stopped it."""
        settings, share = self.plan.settings, self.plan.settings.control
        if share is None:
            return self._arm(self.plan, record, None)
        total = settings.samples or 0
        spent = control_samples(total, share)
        if spent >= total:
            raise UsageError(
                f"--control {share:g} leaves none of the {total} samples to the search; give more samples"
            )
        main = self._arm(self._plan(1 - share, total - spent, settings.strategy), record, None)
        if main.status != "done":
            return main
        arms = [r for r in self.ledger.runs() if r.control_of == main.run]
        control = self._arm(self._plan(share, spent, "best-of-n"), arms[0] if arms else None, main.run)
        if control.interrupted:
            self.ledger.set_status(main.run, "interrupted", "stopped in its control arm")
            return replace(main, status="interrupted")
        return run_report(self.ledger, self.task, main.run, seconds=main.seconds)

    def _plan(self, share: float, samples: int, strategy: str) -> Plan:
        """An arm's plan: its samples, and its share of every other limit, so that both keep within the whole."""
        settings = arm_limits(self.plan.settings, share)
        return replace(self.plan, settings=replace(settings, samples=samples, strategy=strategy))

    def _executor(self, leases: LeaseBook) -> Executor:
        """Where candidates run."""
        chosen = self.plan.settings
        return make_executor(
            self.task,
            chosen.executor,
            chosen.workers,
            unsafe=self.plan.unsafe,
            address=chosen.address,
            leases=leases,
        )

    def _arm(self, plan: Plan, record: RunRecord | None, control_of: str | None) -> RunReport:
        task, ledger, stop = self.task, self.ledger, self.stop
        with ExitStack() as stack:
            held = stack.enter_context(ExitStack())  # the run is let go once nobody works for it any more
            leases = LeaseBook(ledger)
            executor = Metered(self._executor(leases))
            stack.callback(executor.close)
            patience = Patience(plan.settings.wait, stop, lambda text: monitor.notice(text))
            proposer = make_proposer(plan.settings, plan.replay, ledger, task.name, patience)
            new = record is None
            if record is None:
                # The row keeps the whole, from which both arms' shares are made again.
                whole = replace(self.plan.settings, strategy=plan.settings.strategy)
                frozen = replace(plan, settings=whole)
                record = ledger.create_run(new_row(task, frozen, executor, proposer, control_of))
            else:
                refuse_changes(record, task, plan)
            if record.isolated != executor.isolated:
                raise EnvironmentProblem(
                    f"run {record.id} was {'' if record.isolated else 'not '}isolated, and this machine is not the "
                    "same in that; resume it where it was started, or start a new run"
                )
            held.enter_context(ledger.holding(record.id))
            held.enter_context(leases.of(record.id))
            visitor = self.visitor if control_of is None else None  # a control's only parents are the seeds
            if visitor is not None:
                visitor.arrive(ledger, record.id)
            monitor = Monitor(record.id, task, plan.settings, proposer.name, self.on_progress)
            try:
                campaign, budget = campaign_of(
                    task, ledger, plan, self.seeds, record, executor, proposer, monitor
                )
                patience.left = budget.left
                if new and self.tell is not None and plan.replay is None:
                    said = forecast_of(plan.settings, campaign, self.seeds, budget, executor)
                    for sentence in said.lines():
                        self.tell(f"control arm: {sentence}" if control_of else sentence)
                if not _searched(ledger, record.id, campaign):
                    ledger.set_status(record.id, "running")
                    _search(campaign, budget, ledger, plan.settings.db, monitor, stop)
                elif record.status != "done":
                    _clear_up(plan.settings.db, record.id)
                stopped = stop.finishing
                if _searched(ledger, record.id, campaign) and not stopped:
                    campaign.take_in(budget.seconds)
                if visitor is not None:
                    visitor.leave(campaign)
                if stopped:
                    ledger.set_status(record.id, "interrupted", "stopped by the user")
                elif campaign.open_slots(campaign.done + 1):
                    ledger.set_status(record.id, "waiting", "nobody has answered the open request yet")
                else:
                    monitor.phase("finishing")
                    _finish(campaign, ledger, monitor)
                    ledger.set_status(record.id, "done")
                    monitor.phase("done")
            except ProposerUnavailable as error:
                if stop.finishing:
                    ledger.set_status(record.id, "interrupted", f"stopped by the user ({error})")
                    return run_report(ledger, task, record.id, seconds=earlier(ledger, record.id, "seconds"))
                ledger.set_status(record.id, "interrupted", str(error))
                raise EnvironmentProblem(
                    f"{error} (run {record.id} is kept; `discover resume {record.id}` goes on with it)"
                ) from error
            except (LedgerLocked, LedgerUnwritable):
                raise  # nor could it be told so; a run that nobody holds is shown as interrupted
            except BaseException as error:
                ledger.set_status(record.id, "interrupted", f"{type(error).__name__}: {error}")
                raise
            ledger.add_event(record.id, "time", times(budget))
            return run_report(ledger, task, record.id, seconds=budget.seconds)


def _searched(ledger: Ledger, run: str, campaign: Campaign) -> bool:
    """Whether the search of a run is over: all batches are integrated, or a budget ended it."""
    return campaign.done >= campaign.shape.batches - 1 or bool(ledger.events(run, "searched"))


def _search(
    campaign: Campaign, budget: Budget, ledger: Ledger, db: str, monitor: Monitor, stop: StopSignal
) -> None:
    from discovery.checkpoints import checkpoints
    from discovery.graph import steps

    monitor.phase("searching")
    with checkpoints(db, campaign.run) as saver:
        for _ in steps(campaign, budget, saver):
            monitor.changed()
            if stop.finishing:
                return
        saver.prune([campaign.run])
    if campaign.open_slots(campaign.done + 1):
        return
    ledger.add_event(campaign.run, "searched", {"ended by": budget.ended or "samples"})


def _clear_up(db: str, run: str) -> None:
    """A process that was killed after its last batch has left old checkpoints, and SQLite's log beside their file."""
    from discovery.checkpoints import checkpoints

    with checkpoints(db, run) as saver:
        saver.prune([run])


def _finish(campaign: Campaign, ledger: Ledger, monitor: Monitor) -> None:
    """Read the champion and the best seed on the report blocks."""
    read = {str(e.data["candidate"]) for e in ledger.events(campaign.run, "report blocks")}
    for member in {m.key: m for m in (campaign.champion, campaign.newest.seeds[0])}.values():
        result = campaign.gate.report(check(member.code, campaign.task.interface))
        monitor.gate_score(member.key, result.score)
        if member.hash not in read:
            found = {"candidate": member.hash, "outcome": result.outcome, "score": result.score}
            ledger.add_event(campaign.run, "report blocks", found)
