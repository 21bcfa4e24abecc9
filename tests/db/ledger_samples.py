"""Small records for the ledger's tests."""

from __future__ import annotations

from typing import Any

from db.ledger import Ledger
from db.records import Edge, EntryKey, EvaluationRecord, Integration, NewEntry, RunRecord

RUN = "r-7f3a2c"


def run_record(name: str = RUN, **changes: Any) -> RunRecord:
    values: dict[str, Any] = {
        "task": "smtt",
        "options": {"family": "potts"},
        "settings": {"batch": 8, "proposer": {"name": "genetic"}},
        "seed": 2**64 - 1,
        "evaluator_version": "1",
        "versions": {"numpy": "2.4"},
        "templates": {},
        "isolated": True,
        "layers": {"seccomp": True},
    }
    return RunRecord(id=name, **(values | changes))


def hash_of(number: int) -> str:
    return f"{number:064x}"


def put(ledger: Ledger, *numbers: int) -> None:
    for number in numbers:
        ledger.put_candidate(hash_of(number), f"def f():\n    return {number}\n", 5)


def own(k: int, number: int | None = None, **changes: Any) -> NewEntry:
    values: dict[str, Any] = {"operator": "improve", "outcome": "scored", "score": float(k), "m": 3}
    values |= {"candidate": hash_of(k if number is None else number)}
    return NewEntry(k, "own", **(values | changes))


def key(k: int, kind: Any = "own") -> EntryKey:
    return EntryKey(k, kind)


def seeded(ledger: Ledger, run: str = RUN, seeds: int = 2) -> None:
    """A run with scored seeds 0..seeds-1; the candidates are 1000, 1001, …; the first is champion."""
    ledger.create_run(run_record(run))
    put(ledger, *range(1000, 1000 + seeds))
    entries = [
        NewEntry(k, "seed", "create", "scored", hash_of(1000 + k), score=9.0 - k, m=3) for k in range(seeds)
    ]
    assert ledger.store_seed_entries(run, entries, key(0, "seed"))


def batch_of(first: int, count: int = 4, parent: EntryKey = EntryKey(0, "seed"), **more: Any) -> Integration:  # noqa: B008
    """Slots first..first+count-1, each a child of ``parent``."""
    entries = tuple(own(k) for k in range(first, first + count))
    return Integration(entries, tuple(Edge(e.key, parent) for e in entries), **more)


def evaluation(
    scores: tuple[float, ...], number: int = 1000, size: int = 4, **changes: Any
) -> EvaluationRecord:
    values: dict[str, Any] = {
        "candidate": hash_of(number),
        "set_digest": "d" * 64,
        "set_name": "search",
        "set_size": size,
        "evaluator_version": "1",
        "isolated": True,
        "outcome": "scored" if len(scores) == size else "stopped",
        "scores": scores,
        "values": tuple(10 * s for s in scores),
        "cpu": tuple(0.001 for _ in scores),
        "answers_digest": f"answers of {len(scores)}",
    }
    return EvaluationRecord(**(values | changes))
