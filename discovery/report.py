"""The result of a run as ``discover run`` prints it, read from the ledger."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from db.ledger import Ledger
from db.records import EntryRecord, Spent
from discovery.baselines import best_baseline, best_of
from discovery.control import Versus, control_of, versus
from discovery.members import ending
from discovery.population.behaviour import counted
from discovery.population.novelty import NEAR_COPY
from discovery.recorded import Repeated, repeated
from evaluators.task import Task


@dataclass(frozen=True)
class Best:
    """A candidate with its search score and its score on the report blocks of the gate."""

    candidate: str
    score: float | None
    gate: float | None
    promoted: bool


@dataclass(frozen=True)
class RunReport:
    """How a run ended. ``best`` is the champion: the last candidate that passed the gate, else the best seed."""

    run: str
    task: str
    proposer: str
    status: str
    reason: str
    samples: int
    evaluated: int
    valid: int
    best: Best
    seed: tuple[str, float | None, float | None]
    """Name, search and gate score of the best seed."""
    baseline: tuple[str, float | None, float | None] | None
    failures: Mapping[str, int]
    tokens: int
    cost: float | None
    seconds: float
    isolated: bool
    behaviours: Mapping[str, float | int | None] = field(default_factory=dict)
    control: RunReport | None = None
    """The control arm; ``tokens``, ``cost`` and ``seconds`` of its run include it."""
    versus: Versus | None = None
    """The comparison with the control."""
    replay: Repeated | None = None
    """How a finished replay compares with what it repeats."""

    @property
    def interrupted(self) -> bool:
        return self.status == "interrupted"

    @property
    def waiting(self) -> bool:
        """Whether a person or an agent has to answer before it goes on."""
        return self.status == "waiting"

    def as_control(self, versus: Versus | None) -> dict[str, object]:
        """This run as the control of another one, with the comparison of the two."""
        return {
            "run": self.run,
            "samples": self.samples,
            "evaluated": self.evaluated,
            "valid": self.valid,
            "candidate": self.best.candidate,
            "score": self.best.score,
            "gate": self.best.gate,
            "tokens": self.tokens,
            "cost": self.cost,
            "versus": versus.to_json() if versus is not None else None,
        }

    def to_json(self) -> dict[str, object]:
        """The documented object of ``run --json`` and ``resume --json``."""
        named = self.baseline or self.seed
        return {
            "run": self.run,
            "task": self.task,
            "proposer": self.proposer,
            "samples": self.samples,
            "evaluated": self.evaluated,
            "valid": self.valid,
            "best": {
                "candidate": self.best.candidate,
                "score": self.best.score,
                "gate": self.best.gate,
                "promoted": self.best.promoted,
                "baseline": {"name": named[0], "score": named[1], "gate": named[2]},
                "seed": {"name": self.seed[0], "score": self.seed[1], "gate": self.seed[2]},
            },
            "control": self.control.as_control(self.versus) if self.control is not None else None,
            "tokens": self.tokens,
            "cost": self.cost,
            "seconds": round(self.seconds, 3),
            "status": self.status,
            "failures": dict(self.failures),
            "behaviours": dict(self.behaviours),
            "isolated": self.isolated,
            "replay": asdict(self.replay) if self.replay is not None else None,
        }


def run_report(ledger: Ledger, task: Task, run: str, *, seconds: float) -> RunReport:
    """The report of a run as the ledger has it now."""
    record = ledger.run(run)
    entries = ledger.entries(run)
    drawn = [e for e in entries if e.kind != "seed"]
    owned = [e for e in drawn if e.duplicate_of is None]
    failures: dict[str, int] = {}
    for entry in owned:
        if entry.outcome not in ("scored", "stopped", "noted"):
            failures[ending(entry)] = failures.get(ending(entry), 0) + 1
    gates = {str(e.data["candidate"]): e.data["score"] for e in ledger.events(run, "report blocks")}
    champion = ledger.champion(run)
    assert champion is not None, "a run has a champion once its seeds are stored"
    seeds = [e for e in entries if e.kind == "seed"]
    sign = 1 if task.direction == "minimize" else -1
    seed = min(seeds, key=lambda e: sign * (e.score or 0.0))
    names = {str(h): str(n) for n, h in _seed_names(record.settings)}
    best = best_baseline(task, "search")
    spent = ledger.spent(run)
    proposer = _proposer(record.settings)
    control = _control(ledger, task, run)
    return RunReport(
        run=run,
        task=record.task,
        proposer=proposer,
        status=record.status,
        reason=record.reason or _why_lost(failures, len(drawn) - len(owned)),
        samples=sum(e.kind == "own" for e in drawn),
        evaluated=sum(e.candidate is not None and ending(e) != NEAR_COPY for e in owned),
        valid=sum(e.outcome in ("scored", "stopped") for e in owned),
        best=Best(champion.candidate or "", champion.score, _gate(gates, champion), champion.kind != "seed"),
        seed=(names.get(seed.candidate or "", "seed"), seed.score, _gate(gates, seed)),
        baseline=(best[0], best[1], best_of(task, best[0], "gate")) if best else None,
        failures=failures,
        tokens=spent.tokens + (control.tokens if control else 0),
        cost=_sum(_cost(spent, proposer), control.cost if control else 0.0),
        seconds=seconds + (control.seconds if control else 0.0),
        isolated=record.isolated,
        behaviours=counted(entries),
        control=control,
        versus=versus(ledger, task, run) if control is not None else None,
        replay=repeated(ledger, record, measured=task.measured),
    )


def _control(ledger: Ledger, task: Task, run: str) -> RunReport | None:
    """The control arm of a run: the same proposer with the seeds as its only parents."""
    arm = control_of(ledger, run)
    if arm is None or not ledger.promotions(arm.id):
        return None
    times = [float(str(e.data["seconds"])) for e in ledger.events(arm.id, "time")]
    return run_report(ledger, task, arm.id, seconds=max(times, default=0.0))


def _cost(spent: Spent, proposer: str) -> float | None:
    return None if spent.unpriced and proposer == "chat" else spent.cost


def _sum(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a + b


def _gate(gates: Mapping[str, object], entry: EntryRecord) -> float | None:
    score = gates.get(entry.candidate or "")
    return float(score) if isinstance(score, int | float) else None


def _seed_names(settings: Mapping[str, object]) -> list[tuple[str, str]]:
    rows = settings["seeds"]
    return [(str(n), str(h)) for n, h in rows] if isinstance(rows, list) else []


def _proposer(settings: Mapping[str, object]) -> str:
    inner = settings["settings"]
    return str(inner["proposer"]) if isinstance(inner, dict) else ""


def _why_lost(failures: Mapping[str, int], repeated: int) -> str:
    if not failures and not repeated:
        return "no proposal was made"
    counts = sorted(failures.items(), key=lambda x: -x[1])
    again = [f"{repeated} gave back code that the run had already"] if repeated else []
    return ", ".join([*(f"{n} {kind}" for kind, n in counts), *again])
