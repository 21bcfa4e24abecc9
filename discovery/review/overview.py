"""The list of runs, and one run as a whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from db.attempts import attempts
from db.ledger import Ledger
from db.records import EntryId, EntryRecord, RunRecord
from discovery.baselines import best_baseline
from discovery.baselines import best_of as best_score_of
from discovery.control import versus
from discovery.gains import gains
from discovery.members import ending
from discovery.population.behaviour import counted
from discovery.progress import gain
from discovery.review.leases import leases
from discovery.review.names import Frozen, as_seen, frozen, gate_scores, seen, task_of, utc
from discovery.review.rates import by_model, by_temperature
from discovery.spending import earlier
from discovery.tuning import LIFTED
from evaluators.task import Direction, Task

OUTCOMES = (
    "scored", "stopped", "duplicate", "near-copy", "noted", "refused", "lost", "rejected", "timeout", "killed",
    "error", "quarantined",
)  # fmt: skip


@dataclass(frozen=True)
class RunRow:
    """A run as a line. ``best`` is the champion's search score, ``gate`` its score on the report blocks."""

    run: str
    task: str
    proposer: str
    status: str
    samples: int
    samples_total: int | None
    best: float | None
    gate: float | None
    control_of: str | None
    created: str

    def to_json(self) -> dict[str, object]:
        """One row of ``runs --json``."""
        return asdict(self)


def runs(ledger: Ledger) -> tuple[RunRow, ...]:
    """All runs, the newest first."""
    return tuple(_row(ledger, as_seen(ledger, record)) for record in reversed(ledger.runs()))


def _row(ledger: Ledger, record: RunRecord) -> RunRow:
    start, champion = frozen(record), ledger.champion(record.id)
    gates = gate_scores(ledger, record.id)
    return RunRow(
        run=record.id,
        task=record.task,
        proposer=start.proposer,
        status=record.status,
        samples=start.done(record),
        samples_total=start.samples,
        best=champion.score if champion else None,
        gate=gates.get(champion.candidate or "") if champion else None,
        control_of=record.control_of,
        created=utc(record.created),
    )


@dataclass(frozen=True)
class RunSummary:
    """All about a run but its candidates; ``data`` is the documented object."""

    data: Mapping[str, object]

    def to_json(self) -> dict[str, object]:
        """The object of ``show RUN --json``."""
        return dict(self.data)


def run_head(ledger: Ledger, name: str) -> RunSummary:
    """The first part of :func:`run_summary`: what the run's row says, at a cost that does not grow with the run."""
    record = seen(ledger, name)
    return RunSummary(_head(ledger, record, frozen(record), task_of(record)))


def run_summary(ledger: Ledger, name: str) -> RunSummary:
    """A run by its id or the beginning of it. Raises LedgerError; TaskError when its task is not installed."""
    record = seen(ledger, name)
    task, start, entries = task_of(record), frozen(record), ledger.entries(record.id)
    gates, against = gate_scores(ledger, record.id), versus(ledger, task, record.id)
    slots = attempts(ledger, record.id)
    return RunSummary(
        {
            **_head(ledger, record, start, task),
            "seeds": _seeds(entries, start, gates),
            "champion": _champion(ledger, record.id, entries, gates, task.direction),
            "best_on_search": _best_on_search(entries, task.direction),
            "baseline": _baseline(task),
            "outcomes": outcomes(entries),
            "behaviours": counted(entries),
            "operators": _operators(ledger, record.id, entries, task.direction),
            "models": by_model(slots, task.direction),
            "temperatures": by_temperature(slots, task.direction),
            "gains": gains(ledger, record.id, entries, task.direction),
            "tuning": _tuning(ledger, record.id, entries),
            "against_control": against.to_json() if against is not None else None,
            "looks": looks(ledger, record.id, entries),
            "spent": _spent(ledger, record.id, start),
            "budget": _budget(ledger, record.id),
            "leases": leases(ledger, record),
            "final_openings": ledger.count_events(record.id, "report_opened"),
            "settings": {k: v for k, v in start.settings.items() if k != "options"},
            "options": dict(record.options),
            "versions": dict(record.versions),
        }
    )


def _head(ledger: Ledger, record: RunRecord, start: Frozen, task: Task) -> dict[str, object]:
    return {
        "run": record.id,
        "task": record.task,
        "direction": task.direction,
        "unit": task.unit,
        "proposer": start.proposer,
        "model": start.model,
        "status": record.status,
        "reason": record.reason,
        "created": utc(record.created),
        "updated": utc(record.updated),
        "seed": record.seed,
        "isolated": record.isolated,
        "evaluator_version": record.evaluator_version,
        "control_of": record.control_of,
        "controls": [r.id for r in ledger.runs() if r.control_of == record.id],
        "samples": start.done(record),
        "samples_total": start.samples,
        "batches": record.batches_done + 1,
    }


def _seeds(
    entries: Sequence[EntryRecord], start: Frozen, gates: Mapping[str, float]
) -> list[dict[str, object]]:
    return [
        {
            "name": start.seeds.get(e.candidate or ""),
            "candidate": e.candidate,
            "outcome": e.outcome,
            "score": e.score,
            "gate": gates.get(e.candidate or ""),
        }
        for e in sorted(entries, key=lambda e: -e.k)
        if e.kind == "seed"
    ]


def best_of(entries: Sequence[EntryRecord], direction: Direction) -> EntryRecord | None:
    """The best scored entry; of equals the earlier."""
    sign = 1 if direction == "minimize" else -1
    scored = [(sign * e.score, e.id, e) for e in entries if e.score is not None and e.duplicate_of is None]
    return min(scored, key=lambda s: s[:2])[2] if scored else None


def best_seed(entries: Sequence[EntryRecord], direction: Direction) -> EntryRecord | None:
    return best_of([e for e in entries if e.kind == "seed"], direction)


def _champion(
    ledger: Ledger,
    run: str,
    entries: Sequence[EntryRecord],
    gates: Mapping[str, float],
    direction: Direction,
) -> dict[str, object] | None:
    champion = ledger.champion(run)
    if champion is None:
        return None
    seed = best_seed(entries, direction)
    return {
        "candidate": champion.candidate,
        "slot": champion.k,
        "kind": champion.kind,
        "operator": champion.operator,
        "score": champion.score,
        "gate": gates.get(champion.candidate or ""),
        "gain": gain(direction, champion.score, seed.score if seed else None),
        "promoted": champion.kind != "seed",
        "look": promotions(ledger, run).get(champion.id),
    }


def promotions(ledger: Ledger, run: str) -> dict[EntryId, int | None]:
    """Champions of a run, past and present, and the number of the look that made each (None for the first seed)."""
    numbers = {look.id: look.k for look in ledger.looks(run)}
    return {p.entry: numbers.get(p.look) if p.look is not None else None for p in ledger.promotions(run)}


def _best_on_search(entries: Sequence[EntryRecord], direction: Direction) -> dict[str, object] | None:
    best = best_of(entries, direction)
    if best is None:
        return None
    return {
        "candidate": best.candidate,
        "slot": best.k,
        "kind": best.kind,
        "operator": best.operator,
        "score": best.score,
    }


def _baseline(task: Task) -> dict[str, object] | None:
    best = best_baseline(task, "search")
    if best is None:
        return None
    return {"name": best[0], "score": best[1], "gate": best_score_of(task, best[0], "gate")}


def outcomes(entries: Sequence[EntryRecord]) -> dict[str, int]:
    """What became of the samples; the counts sum to the number of slots integrated."""
    own = [e for e in entries if e.kind == "own"]
    counts = Counter(ending(e) for e in own)
    return {outcome: counts[outcome] for outcome in OUTCOMES}


def _operators(
    ledger: Ledger, run: str, entries: Sequence[EntryRecord], direction: Direction
) -> list[dict[str, object]]:
    """By operator: entries, how many were scored anew, and how many of those are better than every scored parent."""
    by_id, parents = {e.id: e for e in entries}, ledger.parents(run)
    counts: dict[str, Counter[str]] = {}
    for e in entries:
        if e.kind == "seed":
            continue
        count = counts.setdefault(e.operator, Counter())
        count["entries"] += 1
        if e.score is None or e.duplicate_of is not None:
            continue
        count["scored"] += 1
        above = [by_id[p] for p in parents.get(e.id, ()) if p in by_id]
        above = [p for p in above if p.score is not None]
        gains = [gain(direction, e.score, p.score) for p in above]
        if gains and all(g is not None and g > 0 for g in gains):
            count["improved"] += 1
    return [
        {"operator": name, "entries": c["entries"], "scored": c["scored"], "improved": c["improved"]}
        for name, c in sorted(counts.items())
    ]


def _tuning(ledger: Ledger, run: str, entries: Sequence[EntryRecord]) -> dict[str, object]:
    children = [e for e in entries if e.kind == "tuned"]
    studies = ledger.studies(run)
    return {
        "studies": len(studies),
        "trials": sum(len(ledger.trials(s.id)) for s in studies),
        "literals": _literals(ledger, run),
        "children": len(children),
        "quarantined": sum(e.outcome == "quarantined" for e in children),
    }


def _literals(ledger: Ledger, run: str) -> int:
    """How many numbers in the code the studies of a run could change (--lift-constants)."""
    found = [e.data.get("literals") for e in ledger.events(run, LIFTED)]
    return sum(len(rows) for rows in found if isinstance(rows, list))


def looks(ledger: Ledger, run: str, entries: Sequence[EntryRecord]) -> list[dict[str, object]]:
    """The looks of a run, in order. ``effect`` is the challenger's relative gain over the champion of that time."""
    names = {e.id: e.candidate for e in entries}
    return [
        {
            "number": look.k,
            "batch": look.batch,
            "candidate": names.get(look.entry),
            "champion": names.get(look.champion),
            "effect": look.effect,
            "p": look.p_value,
            "alpha": look.alpha,
            "passed": look.passed,
            "block": look.block,
            "reused": bool(look.detail.get("reused")),
            "interval": look.detail.get("interval"),
            "failure": look.detail.get("failure") or None,
        }
        for look in ledger.looks(run)
    ]


def _budget(ledger: Ledger, run: str) -> list[dict[str, object]]:
    """The limits that ended the search before its samples were drawn."""
    return [
        {"created": utc(e.created), "reason": e.data.get("ended by")}
        for e in ledger.events(run, "searched")
        if e.data.get("ended by") != "samples"
    ]


def _spent(ledger: Ledger, run: str, start: Frozen) -> dict[str, object]:
    spent = ledger.spent(run)
    return {
        "samples": spent.samples,
        "requests": spent.requests,
        "repeated": spent.repeated,
        "prompt_tokens": spent.prompt_tokens,
        "completion_tokens": spent.completion_tokens,
        "tokens": spent.tokens,
        "cost": None if spent.unpriced and start.proposer == "chat" else spent.cost,
        "uncounted": spent.uncounted,
        "unpriced": spent.unpriced,
        "reply_seconds": spent.seconds,
        "evaluations": ledger.evaluated(run),
        "seconds": earlier(ledger, run, "seconds"),
        "cpu_seconds": earlier(ledger, run, "cpu_seconds"),
    }
