"""Watches a campaign and tells a listener how it goes: one :class:`~discovery.progress.Progress` a change."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace

from db.ledger import Ledger
from db.records import EntryKey
from discovery.account import Account
from discovery.baselines import best_baseline, best_of, shipped
from discovery.budget import Budget
from discovery.campaign import Campaign
from discovery.config import Settings
from discovery.members import ending
from discovery.population.archive import Member
from discovery.population.novelty import NEAR_COPY
from discovery.progress import Look, Phase, Progress, Spent, Standing
from evaluators.task import Task

LOOKS_SHOWN = 3
_SEEDS = -1
"""The batch of the seeds, which are not counted."""


class Monitor:
    """Counts what the campaign's memos hold beyond what is integrated. Called from many threads at once."""

    def __init__(
        self,
        run: str,
        task: Task,
        settings: Settings,
        proposer: str,
        listener: Callable[[Progress], None] | None,
    ) -> None:
        self._task = task
        self._listener = listener
        self._lock = threading.Lock()
        self._gates: dict[EntryKey, float | None] = {}
        self._campaign: Campaign | None = None
        self._budget: Budget | None = None
        self._ledger: Ledger | None = None
        self._account: Account | None = None
        self._names: Mapping[EntryKey, str] = {}
        self._integrated = _SEEDS
        self._outcomes: Counter[str] = Counter()
        self._evaluated = self._valid = self._duplicates = 0
        self._stale = True
        self._notice: str | None = None
        self._counted = Progress(run, task.name, task.direction, task.unit, proposer, "preparing")
        best = best_baseline(task, "search")
        self._progress = replace(
            self._counted,
            samples=Spent(0, settings.samples),
            tokens=Spent(0, settings.tokens),
            cost=Spent(0, settings.cost),
            seconds=Spent(0, settings.minutes * 60 if settings.minutes else None),
            evaluations=Spent(0, settings.evaluations),
            cpu_seconds=Spent(0, settings.cpu_minutes * 60 if settings.cpu_minutes else None),
            baseline=Standing(best[0], best[1], best_of(task, best[0], "gate")) if best else None,
        )

    def watch(
        self, campaign: Campaign, budget: Budget, ledger: Ledger, names: Mapping[EntryKey, str]
    ) -> None:
        """From now on, tell about this campaign. ``names`` are the seeds'."""
        self._campaign, self._budget, self._ledger, self._names = campaign, budget, ledger, names
        self._account = Account(ledger, campaign.run)
        self.changed()

    def phase(self, phase: Phase) -> None:
        self._progress = replace(self._progress, phase=phase)
        self.changed()

    def notice(self, text: str | None) -> None:
        """What holds the run up, None when nothing does any more."""
        with self._lock:
            self._notice = text
        self.changed()

    def gate_score(self, key: EntryKey, score: float | None) -> None:
        """A score on the report blocks became known."""
        self._gates[key] = score
        self._stale = True
        self.changed()

    def changed(self) -> None:
        """Something happened; a listener that is busy with the last change is not asked to catch up."""
        if self._listener is None or not self._lock.acquire(blocking=False):
            return
        try:
            self._progress = self._look_around()
            self._listener(self._progress)
        finally:
            self._lock.release()

    def _look_around(self) -> Progress:
        campaign, budget, ledger, account = self._campaign, self._budget, self._ledger, self._account
        if campaign is None or budget is None or ledger is None or account is None:
            return self._progress
        if self._stale or campaign.done != self._integrated:
            self._recount(campaign, ledger, account)
        counted = self._progress
        running = campaign.in_flight()
        used = min(campaign.shape.samples, (campaign.done + 1) * campaign.shape.batch + running.filled)
        share = used / campaign.shape.samples if campaign.shape.samples else 1.0
        seconds = budget.seconds
        return replace(
            counted,
            batch=campaign.done + 1,
            samples=Spent(used, campaign.shape.samples),
            seconds=replace(counted.seconds, used=seconds),
            cpu_seconds=replace(counted.cpu_seconds, used=budget.cpu_seconds),
            proposing=running.proposing,
            evaluating=running.evaluating,
            tuning=running.tuning,
            notice=self._notice,
            eta=seconds * (1 - share) / share if share > 0.02 else None,
        )

    def _recount(self, campaign: Campaign, ledger: Ledger, account: Account) -> None:
        """Read what was integrated since the last time; all of it only once a sitting."""
        done = campaign.done
        # A batch may be in the ledger just before the campaign says so.
        entries = [e for e in ledger.entries(campaign.run, after=self._integrated) if e.batch <= done]
        owned = [e for e in entries if e.candidate is not None and ending(e) not in ("duplicate", NEAR_COPY)]
        self._evaluated += len(owned)
        self._valid += sum(e.outcome in ("scored", "stopped") for e in owned)
        self._duplicates += sum(e.duplicate_of is not None for e in entries)
        self._outcomes.update(ending(e) for e in entries if e.duplicate_of is None)
        lost = {k: n for k, n in self._outcomes.items() if k not in ("scored", "stopped", "noted")}
        spent = account.spent()
        limited = self._progress.evaluations.limit is not None
        evaluations = ledger.evaluated(campaign.run) if limited else 0
        members = campaign.newest.members()
        champion = campaign.champion
        self._progress = replace(
            self._progress,
            evaluated=self._evaluated,
            valid=self._valid,
            duplicates=self._duplicates,
            failures=lost,
            tokens=replace(self._progress.tokens, used=spent.tokens),
            cost=replace(self._progress.cost, used=spent.cost),
            # Counted only where there is a limit to show: the count reads the whole run.
            evaluations=replace(self._progress.evaluations, used=evaluations),
            best=self._standing(members[0]),
            champion=self._standing(champion),
            seeds=tuple(self._standing(m) for m in campaign.newest.seeds),
            looks=tuple(
                Look(
                    number=look.k,
                    candidate=campaign.hash_of(look.entry)[:8],
                    gain=look.effect,
                    p=look.p_value,
                    alpha=look.alpha,
                    promoted=look.passed,
                )
                for look in campaign.looks[-LOOKS_SHOWN:]
            ),
        )
        self._integrated, self._stale = done, False

    def _standing(self, member: Member) -> Standing:
        name = self._names.get(member.key)
        gate = self._gates.get(member.key)
        if name is not None:
            return Standing(
                name, member.score, gate if gate is not None else shipped(self._task, name, "gate")
            )
        return Standing(member.hash[:8], member.score, gate)
