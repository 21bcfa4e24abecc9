"""A run that another process works on, as its ledger tells: the same picture of it that its own terminal draws."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from db.ledger import Ledger
from db.records import EntryRecord, RunRecord, RunStatus
from discovery.baselines import best_baseline, shipped
from discovery.baselines import best_of as best_score_of
from discovery.members import ending
from discovery.population.novelty import NEAR_COPY
from discovery.progress import Look, Phase, Progress, Spent, Standing
from discovery.review.names import Frozen, frozen, gate_scores, label, seen, short, task_of
from discovery.review.overview import best_of
from discovery.spending import earlier
from evaluators.task import Task

LOOKS_SHOWN = 3
NOT_LOST = ("scored", "stopped", "noted", "duplicate")


@dataclass(frozen=True)
class Live:
    """``status`` and ``reason`` are the run's; ``stamp`` changes whenever anything that ``progress`` tells does."""

    status: RunStatus
    reason: str
    stamp: str
    progress: Progress

    def to_json(self) -> dict[str, object]:
        """The documented object."""
        return asdict(self)


def stamp(ledger: Ledger, run: str) -> str:
    """A short text that changes with the run; much cheaper than :func:`live`. Raises LedgerError."""
    record = seen(ledger, run)
    return _stamp(record, _open(ledger, record))


def live(ledger: Ledger, run: str) -> Live:
    """The state of a run now. Times are as of its last batch. Raises LedgerError; TaskError when its task is not
    installed."""
    record = seen(ledger, run)
    waiting = _open(ledger, record)
    progress = _progress(ledger, record, task_of(record), waiting)
    return Live(record.status, record.reason, _stamp(record, waiting), progress)


@dataclass(frozen=True)
class _Open:
    """What is under way in the batches that are not integrated yet."""

    proposing: int
    evaluating: int
    tuning: int
    filled: int

    def __str__(self) -> str:
        return f"{self.proposing}.{self.evaluating}.{self.tuning}"


def _stamp(record: RunRecord, now: _Open) -> str:
    return f"{record.status}/{record.updated}/{now}"


def _open(ledger: Ledger, record: RunRecord) -> _Open:
    slots: dict[int, str] = {}
    for proposal in ledger.proposals(record.id, after=record.batches_done):
        slots[proposal.k] = proposal.state  # the repair of a slot comes after its first request
    counts = Counter(slots.values())
    tuning = sum(s.state == "running" for s in ledger.studies(record.id))
    return _Open(counts["intent"], counts["replied"], tuning, len(slots) - counts["intent"])


def _progress(ledger: Ledger, record: RunRecord, task: Task, now: _Open) -> Progress:
    start, entries = frozen(record), ledger.entries(record.id)
    gates, champion = gate_scores(ledger, record.id), ledger.champion(record.id)
    own = [e for e in entries if e.kind != "seed"]
    owned = [e for e in own if e.candidate is not None and ending(e) not in ("duplicate", NEAR_COPY)]
    stand = _Standings(task, start, gates)
    best = best_of(entries, task.direction)
    baseline = best_baseline(task, "search")
    spent = ledger.spent(record.id)
    limits = start.settings
    running = record.status == "running"
    used = start.done(record) + (now.filled if running else 0)
    samples = Spent(used if start.samples is None else min(used, start.samples), start.samples)
    seconds = earlier(ledger, record.id, "seconds")
    return Progress(
        run=record.id,
        task=record.task,
        direction=task.direction,
        unit=task.unit,
        proposer=start.proposer,
        phase=_phase(record, entries),
        batch=record.batches_done + 1,
        samples=samples,
        tokens=Spent(spent.tokens, _number(limits, "tokens")),
        cost=Spent(spent.cost, _number(limits, "cost")),
        seconds=Spent(seconds, _number(limits, "minutes", 60)),
        evaluations=Spent(ledger.evaluated(record.id), _number(limits, "evaluations")),
        cpu_seconds=Spent(earlier(ledger, record.id, "cpu_seconds"), _number(limits, "cpu_minutes", 60)),
        evaluated=len(owned),
        valid=sum(e.outcome in ("scored", "stopped") for e in owned),
        duplicates=sum(e.duplicate_of is not None for e in own),
        failures=dict(Counter(ending(e) for e in own if ending(e) not in NOT_LOST)),
        best=stand.of(best) if best else None,
        champion=stand.of(champion) if champion else None,
        seeds=tuple(stand.of(e) for e in sorted(entries, key=lambda e: -e.k) if e.kind == "seed"),
        baseline=Standing(baseline[0], baseline[1], best_score_of(task, baseline[0], "gate"))
        if baseline
        else None,
        looks=_looks(ledger, record.id, entries),
        proposing=now.proposing if running else 0,
        evaluating=now.evaluating if running else 0,
        tuning=now.tuning if running else 0,
        eta=_eta(seconds, start.done(record), start.samples) if running else None,
    )


@dataclass(frozen=True)
class _Standings:
    """Names and gate scores of entries."""

    task: Task
    start: Frozen
    gates: Mapping[str, float]

    def of(self, e: EntryRecord) -> Standing:
        gate = self.gates.get(e.candidate or "")
        name = self.start.seeds.get(e.candidate or "") if e.kind == "seed" else None
        if name is not None:
            return Standing(name, e.score, gate if gate is not None else shipped(self.task, name, "gate"))
        return Standing(short(e.candidate) or label(e), e.score, gate)


def _looks(ledger: Ledger, run: str, entries: Sequence[EntryRecord]) -> tuple[Look, ...]:
    names = {e.id: short(e.candidate) or label(e) for e in entries}
    return tuple(
        Look(look.k, names.get(look.entry, "?"), look.effect, look.p_value, look.alpha, look.passed)
        for look in ledger.looks(run)[-LOOKS_SHOWN:]
    )


def _phase(record: RunRecord, entries: Sequence[EntryRecord]) -> Phase:
    if record.status == "done":
        return "done"
    return "searching" if entries else "seeds"


def _number(limits: Mapping[str, object], name: str, times: float = 1) -> float | None:
    value = limits.get(name)
    return times * value if isinstance(value, int | float) else None


def _eta(seconds: float, done: int, samples: int | None) -> float | None:
    """Seconds to the end at the pace so far."""
    return seconds * (samples - done) / done if samples is not None and done else None
