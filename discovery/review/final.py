"""The report of a run: its winner on search, gate and final, beside the seed, the best baseline and the control.

Opening the final split is recorded each time, before the first instance is run, and counted over the whole ledger:
the more often it is opened, the less it is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from db.ledger import Ledger
from db.records import EntryRecord, EvaluationRecord, RunRecord
from discovery.baselines import best_baseline
from discovery.candidate import Candidate, check, with_defaults
from discovery.config import cores
from discovery.control import control_of, versus
from discovery.errors import UsageError
from discovery.evaluation import Evaluation
from discovery.execution.make import make_executor
from discovery.pace import Paced, processor_time, told
from discovery.review.figures import Side, comparisons, further, optimism, scores, times, verdict
from discovery.review.names import SHORT, frozen, seen, task_of
from discovery.review.overview import best_seed, promotions
from discovery.seeds import baseline_code
from evaluators.task import Task

OPENED = "report_opened"
"""The ledger event of an opening."""
TOO_SLOW = 300.0
"""Processor time, s, beyond which a baseline is not run on the final split."""

Say = Callable[[str], None]


@dataclass(frozen=True)
class FinalReport:
    """``data`` is the documented object."""

    data: Mapping[str, object]

    def to_json(self) -> dict[str, object]:
        """The object of ``report --json``."""
        return dict(self.data)


@dataclass(frozen=True)
class Contender:
    """Who is measured. ``shipped`` are scores by split that hold where nothing is stored."""

    role: str
    name: str
    candidate: Candidate
    shipped: Mapping[str, float]


def report(ledger: Ledger, run: str, *, unsafe: bool = False, progress: Say | None = None) -> FinalReport:
    """Measure a run's winner on the final split; what is stored is not run again.

    Raises UsageError for a run without scored seeds, LedgerError, TaskError, and SandboxUnavailable when this machine
    cannot isolate and ``unsafe`` is not set."""
    record = seen(ledger, run)
    task = task_of(record)
    contenders, notes = _contenders(ledger, record, task)
    say = progress or (lambda _: None)
    executor = make_executor(task, "local", cores(), unsafe=unsafe)
    try:
        paced = Paced(executor, say)
        evaluation = Evaluation(task, paced, ledger)
        sides = [_search_and_gate(evaluation, task, c, paced) for c in contenders]
        sides, skipped = _without_slow_baselines(sides, task)
        opening = _open(ledger, record, task, sides)
        seconds = sum(s.seconds or 0.0 for s in sides)
        say(
            f"opening {opening} of the final split of {task.name} in this ledger: {len(task.instances('final'))} "
            f"instances, about {told(task, seconds)}, {executor.workers} at once"
        )
        sides = [_final(evaluation, task, s, paced) for s in sides]
        isolated = executor.isolated
    finally:
        executor.close()
    notes += [*skipped, *_doubts(record, task, isolated)]
    return FinalReport(_object(ledger, record, task, sides, opening, isolated, notes))


def openings(ledger: Ledger, task: str) -> int:
    """How often the final split of a task was opened in this ledger, by whatever run."""
    return sum(ledger.count_events(r.id, OPENED) for r in ledger.runs() if r.task == task)


# -- who is measured --------------------------------------------------------------------------------------------------


def _contenders(ledger: Ledger, record: RunRecord, task: Task) -> tuple[list[Contender], list[str]]:
    """The champion if there is one beside the seed, the best seed, the best shipped baseline, the control's champion;
    and notes about who is missing."""
    entries = ledger.entries(record.id)
    champion, seed = ledger.champion(record.id), best_seed(entries, task.direction)
    if champion is None or seed is None:
        raise UsageError(f"run {record.id} has no scored seeds yet; go on with `discover resume {record.id}`")
    found, notes = [], []
    if champion.kind != "seed":
        found.append(_entered(ledger, task, champion, "champion", ""))
    found.append(_entered(ledger, task, seed, "seed", frozen(record).seeds.get(seed.candidate or "", "")))
    baseline = best_shipped(task)
    if baseline is not None:
        found.append(baseline)
    else:
        notes.append(f"no baseline's scores ship with these options of {task.name}")
    control, note = _control(ledger, record, task)
    found += [control] if control is not None else []
    notes += [note] if note else []
    return found, notes


def _entered(ledger: Ledger, task: Task, entry: EntryRecord, role: str, name: str) -> Contender:
    candidate = check(ledger.candidate_code(entry.candidate or ""), task.interface)
    return Contender(role, name or candidate.hash[:SHORT], candidate, {})


def best_shipped(task: Task) -> Contender | None:
    """The best baseline by its shipped search score, with its tuned defaults where those are what was best."""
    best = best_baseline(task, "search")
    if best is None:
        return None
    name, score = best
    shipped = task.shipped_scores()[name]
    tuned = shipped.published.get("search") != score
    candidate = check(baseline_code(task, name), task.interface)
    if not tuned:
        return Contender("baseline", name, candidate, shipped.published)
    candidate = check(with_defaults(candidate, shipped.tuned_parameters), task.interface)
    return Contender("baseline", f"{name} (tuned)", candidate, shipped.tuned)


def _control(ledger: Ledger, record: RunRecord, task: Task) -> tuple[Contender | None, str]:
    """The control's champion, and a note when there is no comparison or it is not finished."""
    control = control_of(ledger, record.id)
    if control is None:
        return None, "no control was run beside this run"
    champion = ledger.champion(control.id)
    if champion is None:
        return None, f"the control {control.id} has no scored seeds"
    name = frozen(control).seeds.get(champion.candidate or "", "") if champion.kind == "seed" else ""
    unfinished = f"the control {control.id} is {control.status}, so its budget is not spent"
    return _entered(ledger, task, champion, "control", name), "" if control.status == "done" else unfinished


# -- measuring --------------------------------------------------------------------------------------------------------


def _search_and_gate(evaluation: Evaluation, task: Task, c: Contender, paced: Paced) -> Side:
    """Search is run where it is not stored (its times tell how long final will take). The report blocks too, but not
    for a baseline whose score there ships."""
    search, gate = task.instances("search"), task.instances("gate")
    paced.begin(f"{c.role} {c.name} on search", len(search))
    evaluation.stage(c.candidate, search)
    if "gate" not in c.shipped:
        paced.begin(f"{c.role} {c.name} on the report blocks of the gate", len(gate))
        evaluation.whole(c.candidate, gate)
    kept: dict[str, EvaluationRecord] = {}
    measured = []
    for instances in (search, gate):
        record = evaluation.stored(c.candidate.hash, instances)
        if record is not None:
            kept["search" if instances is search else "gate"] = record
            measured.append((instances, record.cpu))
    final = task.instances("final")
    known = evaluation.stored(c.candidate.hash, final) is not None
    seconds = 0.0 if known else processor_time(measured, final)
    return Side(c.role, c.name, c.candidate, dict(c.shipped), kept, seconds)


def _without_slow_baselines(sides: list[Side], task: Task) -> tuple[list[Side], list[str]]:
    slow = [s for s in sides if s.role == "baseline" and s.seconds is not None and s.seconds > TOO_SLOW]
    notes = [
        f"the baseline {s.name} was not run on the final split of {task.name}: by its times on search it would take "
        f"about {s.seconds:.0f} s of processor time, more than {TOO_SLOW:.0f} s"
        for s in slow
    ]
    return [s.skipped() if s in slow else s for s in sides], notes


def _open(ledger: Ledger, record: RunRecord, task: Task, sides: list[Side]) -> int:
    """Record the opening; the number of openings so far, this one included."""
    data = {
        "task": task.name,
        "set": task.instances("final").digest,
        "evaluator_version": task.version,
        "candidates": sorted({s.candidate.hash for s in sides if s.seconds is not None}),
    }
    ledger.add_event(record.id, OPENED, data)
    return openings(ledger, record.task)


def _final(evaluation: Evaluation, task: Task, side: Side, paced: Paced) -> Side:
    if side.seconds is None:
        return side
    final = task.instances("final")
    paced.begin(f"{side.role} {side.name} on final", len(final))
    evaluation.whole(side.candidate, final)
    record = evaluation.stored(side.candidate.hash, final)
    return side.on("final", record) if record is not None else side


# -- the object -------------------------------------------------------------------------------------------------------


def _doubts(record: RunRecord, task: Task, isolated: bool) -> list[str]:
    """What a reader should know before trusting the figures."""
    found = []
    if record.status != "done":
        found.append(f"run {record.id} is {record.status}: its champion may still change")
    if record.evaluator_version != task.version:
        found.append(
            f"the run was made with version {record.evaluator_version} of the evaluator, this report with "
            f"{task.version}: all scores here are of the latter"
        )
    if not isolated:
        found.append("this was not isolated (--unsafe-no-sandbox)")
    elif not record.isolated:
        found.append(
            "the run was not isolated; all scores here are of isolated evaluations made for this report"
        )
    if task.measured:
        found.append(
            "scores are measured: the same candidate on the same machine gives slightly other ones each time, and "
            "intervals and p-values know nothing of how they differ between machines"
        )
    return found


def _object(
    ledger: Ledger,
    record: RunRecord,
    task: Task,
    sides: list[Side],
    opening: int,
    isolated: bool,
    notes: list[str],
) -> dict[str, object]:
    champion = ledger.champion(record.id)
    compared, against = comparisons(task, sides, record.seed), versus(ledger, task, record.id)
    promoted = champion is not None and champion.kind != "seed"
    return {
        "run": record.id,
        "task": task.name,
        "status": record.status,
        "direction": task.direction,
        "unit": task.unit,
        "evaluator_version": task.version,
        "isolated": isolated,
        "promoted": promoted,
        "look": promotions(ledger, record.id).get(champion.id) if champion is not None else None,
        "final_openings": opening,
        "verdict": verdict(sides, compared, promoted),
        "scores": scores(task, sides),
        "optimism": optimism(task, sides),
        "control": against.to_json() if against is not None else None,
        "comparisons": compared,
        "figures": further(task, sides),
        "times": times(task, sides),
        "notes": notes,
    }
