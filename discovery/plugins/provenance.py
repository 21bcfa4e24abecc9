"""Where a heuristic came from and how good it was, as one plain object: ``provenance.json`` of an exported package.

It is a function of the ledger and the rehearsal alone, so that the same winner gives the same bytes. What a later
report adds (scores on the final split) makes another package, and should.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from db import lineage
from db.ledger import Ledger
from db.records import EntryId, EntryRecord, EvaluationRecord
from discovery.candidate import check
from discovery.frozen import OURS
from discovery.installed import FORMAT
from discovery.plugins.rehearsal import Rehearsal
from discovery.plugins.winner import Winner, bare
from discovery.progress import gain
from discovery.review.figures import SPLITS, Side, comparisons
from discovery.review.final import OPENED, best_shipped
from discovery.review.names import frozen, label, utc
from discovery.review.stored import class_means
from evaluators.task import Task, aggregate, mean_of
from searchspaces.space import FloatRange, ParameterValue, Range

MOST_ANCESTORS = 256
"""Entries of the lineage that are told, the nearest first, so that a package stays small."""
Json = dict[str, Any]


def provenance(ledger: Ledger, winner: Winner, rehearsal: Rehearsal) -> Json:
    """All but the package's own names and the hashes of its files."""
    task, candidate = winner.task, winner.candidate
    found = sides(ledger, winner)
    return {
        "format": FORMAT,
        "discover": own_version(),
        "candidate": candidate.hash,
        "parameters": [_parameter(n, v, candidate.space.get(n)) for n, v in candidate.defaults.items()],
        "promoted": winner.promoted,
        "champion": winner.champion,
        "verdict": winner.verdict,
        "task": {
            "name": task.name,
            "summary": task.summary,
            "direction": task.direction,
            "unit": task.unit,
            "measured": task.measured,
            "evaluator_version": task.version,
            "options": dict(task.settings),
            "interface": asdict(task.interface),
        },
        "arguments": {"arrays": rehearsal.arrays, "why": rehearsal.why},
        "golden": {"calls": len(rehearsal.calls), "isolated": rehearsal.isolated},
        "run": _run(winner),
        "lineage": _lineage(ledger, winner),
        "scores": _scores(ledger, winner, found),
        "comparisons": [
            c
            for c in comparisons(task, found, winner.record.seed)
            if c["a"] == "champion" and c["gain"] is not None
        ],
        "classes": _classes(task, found),
    }


def own_version() -> str:
    """The version of discover, "a checkout" where none is installed."""
    try:
        return version(OURS)
    except PackageNotFoundError:
        return "a checkout"


def _parameter(name: str, default: ParameterValue, space: Range | None) -> Json:
    """A keyword-only argument, its type as a hint, and the range in which it was tuned."""
    kind = "float" if isinstance(space, FloatRange) else type(default).__name__
    return {
        "name": name,
        "default": default,
        "type": kind,
        "range": asdict(space) if space is not None else None,
    }


def _run(winner: Winner) -> Json:
    record, start = winner.record, frozen(winner.record)
    settings = {k: start.settings.get(k) for k in ("samples", "batch", "strategy", "islands", "tune")}
    return {
        "id": record.id,
        "created": utc(record.created),
        "seed": str(record.seed),
        "proposer": start.proposer,
        "model": start.model,
        "settings": settings,
        "seeds": [{"name": bare(name), "candidate": hash_} for hash_, name in start.seeds.items()],
        "isolated": record.isolated,
        "layers": dict(record.layers),
        "versions": dict(record.versions),
        "templates": dict(record.templates),
    }


# -- lineage ----------------------------------------------------------------------------------------------------------


def _lineage(ledger: Ledger, winner: Winner) -> Json:
    """The winner and what it came from, the nearest first; parents are numbers of this list."""
    run, own = winner.record.id, winner.entry
    wanted = lineage.ancestors(ledger, run, own.id) | {own.id}
    by_id = {e.id: e for e in ledger.entries(run) if e.id in wanted}
    edges = ledger.parents(run)
    order, place = [own.id], {own.id: 0}
    for id_ in order:
        for parent in edges.get(id_, ()):
            if parent in by_id and parent not in place and len(order) < MOST_ANCESTORS:
                place[parent] = len(order)
                order.append(parent)
    names = frozen(winner.record).seeds
    entries = [_ancestor(ledger, by_id[i], edges.get(i, ()), place, names) for i in order]
    return {"entries": entries, "left_out": len(wanted) - len(order)}


def _ancestor(
    ledger: Ledger,
    entry: EntryRecord,
    parents: Sequence[EntryId],
    place: Mapping[EntryId, int],
    names: Mapping[str, str],
) -> Json:
    told: Json = {
        "entry": label(entry),
        "candidate": entry.candidate,
        "operator": entry.operator,
        "score": entry.score,
        "parents": [place[p] for p in parents if p in place],
    }
    if entry.kind == "seed":
        return {**told, "name": bare(names.get(entry.candidate or "", ""))}
    requests = [ledger.proposal(entry.run, entry.k, r) for r in (0, 1)] if entry.kind == "own" else []
    asked = [r for r in requests if r is not None]
    if asked:
        told["proposer"], told["model"] = asked[-1].proposer, asked[-1].model
        told["prompts"] = [
            hashlib.sha256(r.prompt.encode()).hexdigest() for r in asked if r.prompt is not None
        ]
    return told


# -- scores -----------------------------------------------------------------------------------------------------------


def sides(ledger: Ledger, winner: Winner) -> list[Side]:
    """The winner (as "champion"), the best seed where it is another, and the best baseline, with their stored
    evaluations."""
    own, seed = winner.candidate, winner.seed
    found = [Side("champion", own.hash[:8], own, {}, _records(ledger, winner, own.hash), None)]
    if seed.candidate is not None and seed.candidate != own.hash:
        records = _records(ledger, winner, seed.candidate)
        known = check(ledger.candidate_code(seed.candidate), winner.task.interface)
        found.append(Side("seed", winner.seed_name, known, {}, records, None))
    else:
        found.append(Side("seed", winner.seed_name, own, {}, found[0].records, None))
    baseline = best_shipped(winner.task)
    if baseline is not None:
        records = _records(ledger, winner, baseline.candidate.hash)
        found.append(Side("baseline", baseline.name, baseline.candidate, baseline.shipped, records, None))
    return found


def _records(ledger: Ledger, winner: Winner, candidate: str) -> dict[str, EvaluationRecord]:
    """The evaluations of a candidate by split. The final split is looked at only where a report has opened it."""
    record, task = winner.record, winner.task
    opened = any(r.task == record.task and ledger.count_events(r.id, OPENED) for r in ledger.runs())
    found: dict[str, EvaluationRecord] = {}
    for split in SPLITS:
        if split == "final" and not opened:
            continue
        digest = task.instances(split).digest
        stored = ledger.evaluation(candidate, digest, record.evaluator_version, record.isolated)
        if stored is not None:
            found[split] = stored
    return found


def _scores(ledger: Ledger, winner: Winner, found: Sequence[Side]) -> Json:
    task, own = winner.task, found[0]
    told: Json = {}
    for split in SPLITS:
        record = own.records.get(split)
        if record is None:
            told[split] = None
            continue
        instances = task.instances(split)
        whole = record.outcome == "scored"
        score = aggregate(instances.instances, record.scores, mean_of(task)) if whole else None
        kinds = [i.reference_kind for i in instances]
        told[split] = {
            "score": score,
            "outcome": record.outcome,
            "instances": len(instances),
            "set_sha256": instances.digest,
            "answers_sha256": record.answers_digest,
            "references": {kind: kinds.count(kind) for kind in dict.fromkeys(kinds)},
            "cpu_seconds": sum(record.cpu),
            "figures": [asdict(f) for f in task.figures(instances.instances, record.values)] if whole else [],
            "beside": [
                {
                    "role": s.role,
                    "name": s.name,
                    "score": s.score(task, split),
                    "gain": gain(task.direction, score, s.score(task, split)),
                }
                for s in found[1:]
                if s.candidate.hash != own.candidate.hash and (split in s.records or split in s.shipped)
            ],
        }
        if split == "final":
            told[split]["opening"] = _opening(ledger, winner)
    return told


def _opening(ledger: Ledger, winner: Winner) -> int | None:
    """Which opening of the final split in this ledger was the first that measured the winner."""
    runs = [r.id for r in ledger.runs() if r.task == winner.record.task]
    events = sorted((e for r in runs for e in ledger.events(r, OPENED)), key=lambda e: e.id)
    for number, event in enumerate(events, 1):
        named = event.data.get("candidates")
        if isinstance(named, list) and winner.candidate.hash in named:
            return number
    return None


def _classes(task: Task, found: Sequence[Side]) -> Json | None:
    """Mean scores by class of the winner and the best seed, on the hardest unseen split where both were measured."""
    for split in ("gate", "search"):
        own, seed = found[0].whole(split), found[1].whole(split)
        if own is not None and seed is not None:
            instances = task.instances("gate" if split == "gate" else "search")
            means = [class_means(instances, r.scores, mean_of(task)) for r in (own, seed)]
            rows = [{"class": name, "own": means[0][name], "seed": means[1][name]} for name in means[0]]
            return {"split": split, "rows": rows}
    return None
