"""One candidate: where it came from, how it did, what was asked and answered, and how it was tuned."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from db import lineage
from db.ledger import Ledger
from db.records import SUBMITTED_FROM, EntryId, EntryRecord, EvaluationRecord, ProposalRecord, RunRecord
from discovery.baselines import best_baseline
from discovery.progress import gain
from discovery.review.classes import class_scores_of
from discovery.review.names import candidate_entry, entry_named, label, task_of
from discovery.review.overview import looks, promotions
from discovery.review.stored import all_of, sets_of
from discovery.tuning import GAINED, LIFTED
from evaluators.task import Task, aggregate, mean_of


@dataclass(frozen=True)
class CandidateSummary:
    """All about a candidate but its code; ``data`` is the documented object."""

    data: Mapping[str, object]

    def to_json(self) -> dict[str, object]:
        """The object of ``show CANDIDATE --json``."""
        return dict(self.data)


def candidate_summary(ledger: Ledger, prefix: str) -> CandidateSummary:
    """A candidate as the entry that first held it. Raises UsageError, LedgerError; TaskError when its task is not
    installed."""
    return _summary(ledger, candidate_entry(ledger, prefix))


def entry_summary(ledger: Ledger, run: str, name: str) -> CandidateSummary:
    """An entry by its name within a run (``own17``), also one that is no candidate: refused, lost, a note.

    Raises LedgerError when there is none; TaskError when its task is not installed."""
    return _summary(ledger, entry_named(ledger, run, name))


def _summary(ledger: Ledger, entry: EntryRecord) -> CandidateSummary:
    record = ledger.run(entry.run)
    task, entries = task_of(record), ledger.entries(record.id)
    parents = _related(entries, lineage.parents(ledger, record.id, entry.id))
    children = _related(entries, lineage.children(ledger, record.id, entry.id))
    took_part = _looks(ledger, record.id, entries, entry)
    classes = class_scores_of(ledger, task, record, entry)
    return CandidateSummary(
        {
            **_head(record, entry, entries),
            "direction": task.direction,
            "unit": task.unit,
            "promoted_at": promotions(ledger, record.id).get(entry.id),
            "parents": [_relative(e) for e in parents],
            "children": [_relative(e) for e in children],
            "baseline": _against_baseline(task, entry),
            "rival": asdict(classes.rival) if classes.rival else None,
            "by_class": [c.to_json() for c in classes.classes],
            "evaluations": _evaluations(ledger, task, entry, took_part),
            "looks": took_part,
            "tuning": _study(ledger, entries, entry),
            "attempts": _attempts(ledger, entry),
        }
    )


def _head(record: RunRecord, entry: EntryRecord, entries: Sequence[EntryRecord]) -> dict[str, object]:
    owner = next((e for e in entries if e.id == entry.duplicate_of), None)
    return {
        "candidate": entry.candidate,
        "run": record.id,
        "task": record.task,
        "entry": label(entry),
        "slot": entry.k,
        "kind": entry.kind,
        "operator": entry.operator,
        "batch": entry.batch,
        "island": entry.island,
        "depth": entry.depth,
        "outcome": entry.outcome,
        "reason": entry.reason,
        "score": entry.score,
        "m": entry.m,
        "marks": sorted(entry.marks),
        "archived_from": entry.archived_from,
        "archived_to": entry.archived_to,
        "tuning_gain": entry.tuning_gain,
        "duplicate_of": label(owner) if owner else None,
        "duplicates": sum(e.duplicate_of == entry.id for e in entries),
    }


def _related(entries: Sequence[EntryRecord], ids: Sequence[EntryId]) -> list[EntryRecord]:
    by_id = {e.id: e for e in entries}
    return [by_id[i] for i in ids if i in by_id]


def _relative(entry: EntryRecord) -> dict[str, object]:
    return {
        "candidate": entry.candidate,
        "entry": label(entry),
        "operator": entry.operator,
        "outcome": entry.outcome,
        "score": entry.score,
    }


def _against_baseline(task: Task, entry: EntryRecord) -> dict[str, object] | None:
    best = best_baseline(task, "search")
    if best is None:
        return None
    return {"name": best[0], "score": best[1], "gain": gain(task.direction, entry.score, best[1])}


def _evaluations(
    ledger: Ledger, task: Task, entry: EntryRecord, took_part: Sequence[Mapping[str, object]]
) -> list[dict[str, object]]:
    """What is stored, set by set. Scores on the final split are told by ``discover report`` alone, which counts."""
    records = all_of(ledger, entry.candidate or "")
    blocks = [b for look in took_part if isinstance(b := look["block"], int) and 0 <= b < task.gate_blocks]
    wanted = {r.set_digest for r in records if r.outcome == "scored" and r.set_name != "final"}
    sets = sets_of(task, wanted, blocks)

    def score(record: EvaluationRecord) -> float | None:
        instances = sets.get(record.set_digest)
        return aggregate(instances.instances, record.scores, mean_of(task)) if instances is not None else None

    return [
        {
            "set": r.set_name,
            "m": r.m,
            "size": r.set_size,
            "outcome": r.outcome,
            "reason": r.reason,
            "score": score(r),
            "cpu_seconds": sum(r.cpu),
            "marginal": r.marginal,
            "slow": r.slow,
            "isolated": r.isolated,
            "evaluator_version": r.evaluator_version,
            "output": r.output.decode("utf-8", "replace") if r.output is not None else None,
        }
        for r in records
    ]


def _looks(
    ledger: Ledger, run: str, entries: Sequence[EntryRecord], entry: EntryRecord
) -> list[dict[str, object]]:
    """The looks that the candidate took part in, as challenger or as champion."""
    own = {look.k for look in ledger.looks(run) if entry.id in (look.entry, look.champion)}
    return [look for look in looks(ledger, run, entries) if look["number"] in own]


def _study(ledger: Ledger, entries: Sequence[EntryRecord], entry: EntryRecord) -> dict[str, object] | None:
    """The tuning study of the candidate's slot: the one it came from, or the one that its numbers were tuned in."""
    study = ledger.study(entry.run, entry.k) if entry.kind in ("own", "tuned") else None
    if study is None:
        return None
    child = next((e for e in entries if e.k == entry.k and e.kind == "tuned"), None)
    return {
        "state": study.state,
        "planned": study.n_trials,
        "child": child.candidate if child else None,
        "gain": child.tuning_gain if child else None,
        **_literals(ledger, entry),
        "trials": [
            {
                "number": t.number,
                "parameters": dict(t.parameters),
                "state": t.state,
                "m": t.m,
                "value": t.value,
            }
            for t in ledger.trials(study.id)
        ],
    }


def _literals(ledger: Ledger, entry: EntryRecord) -> dict[str, object]:
    """The numbers in the code that the study could change, and what they gained in the child."""
    kept = [e.data["literals"] for e in ledger.events(entry.run, LIFTED) if e.data.get("k") == entry.k]
    gained = [e.data["gain"] for e in ledger.events(entry.run, GAINED) if e.data.get("k") == entry.k]
    return {"literals": kept[0] if kept else [], "lifted": gained[0] if gained else None}


def _attempts(ledger: Ledger, entry: EntryRecord) -> list[dict[str, object]]:
    """The requests of the slot, with prompt and reply to the letter; a tuned child and a seed have none."""
    if entry.kind not in ("own", "submitted"):
        return []
    first = entry.k + (SUBMITTED_FROM if entry.kind == "submitted" else 0)
    rows = (ledger.proposal(entry.run, first, attempt) for attempt in (0, 1))
    return [_attempt(row) for row in rows if row is not None]


def _attempt(row: ProposalRecord) -> dict[str, object]:
    return {
        "attempt": row.r,
        "state": row.state,
        "reason": row.reason,
        "proposer": row.proposer,
        "model": row.model,
        "arm": row.arm,
        "temperature": row.temperature,
        "asked": row.asked,
        "finish": row.finish,
        "prompt_tokens": row.prompt_tokens,
        "completion_tokens": row.completion_tokens,
        "cost": row.cost,
        "seconds": row.seconds,
        "prompt": json.loads(row.prompt) if row.prompt is not None else None,
        "reply": row.reply,
    }
