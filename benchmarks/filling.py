"""A run of the task ``bench`` that holds many candidates already, written at once and not as a run writes them."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from spending import CALLS, SPIN
from sqlalchemy import func, insert, select, update

from db.ledger import Ledger
from db.models import Candidate, Entry, Evaluation, Parent, Proposal, Run
from db.packing import pack, squeeze

PIECE = 5_000


def fill(path: Path, run: str, count: int, batch: int) -> None:
    """Add ``count`` fully scored candidates to a run that has its seeds and nothing else, ``batch`` to a batch, each a
    child of the seed. All of them score worse than the candidates that the benchmark proposes."""
    draw = random.Random(0)
    with Ledger.open(path) as ledger:
        (seed,) = ledger.entries(run)
        assert seed.candidate is not None
        with ledger.reading() as c:
            known = c.execute(
                select(Evaluation.__table__).where(Evaluation.candidate == seed.candidate)
            ).all()
        (like,) = (dict(row._mapping) for row in known if row.set_name == "search")
        del like["id"]
        for first in range(0, count, PIECE):
            slots = range(first, min(count, first + PIECE))
            _write(ledger, run, slots, batch, like, seed.id, draw)
        with ledger.writing() as c:
            c.execute(update(Run).where(Run.id == run).values(batches_done=-(-count // batch) - 1))


def _write(
    ledger: Ledger, run: str, slots: range, batch: int, like: dict[str, Any], seed: int, draw: random.Random
) -> None:
    rows: dict[Any, list[dict[str, Any]]] = {t: [] for t in (Candidate, Proposal, Entry, Evaluation, Parent)}
    with ledger.writing() as c:
        ids = 1 + c.execute(select(func.max(Entry.id))).scalar_one()
        for k in slots:
            hash_, code = f"{k:064x}", SPIN.format(salt=-k)
            scores = tuple(2.0 + draw.random() for _ in range(CALLS - 1))
            where = {"run": run, "k": k, "batch": k // batch, "operator": "improve"}
            rows[Candidate].append(
                {
                    "hash": hash_,
                    "code": squeeze(code),
                    "code_bytes": len(code),
                    "nodes": 30,
                    "first_seen": 0.0,
                }
            )
            rows[Proposal].append(
                {
                    **where,
                    "r": 0,
                    "proposer": "instant",
                    "seed": k,
                    "state": "replied",
                    "reply": squeeze(code),
                    "seconds": 0.0,
                    "asked": 1,
                    "reason": "",
                }
            )
            rows[Entry].append(
                {
                    **where,
                    "id": ids + k - slots[0],
                    "kind": "own",
                    "island": k % 4,
                    "candidate": hash_,
                    "outcome": "scored",
                    "reason": "",
                    "score": sum(scores) / len(scores),
                    "m": len(scores),
                    "depth": 1,
                }
            )
            rows[Evaluation].append({**like, "candidate": hash_, "scores": pack(scores)})
            rows[Parent].append({"child": ids + k - slots[0], "position": 0, "parent": seed})
        for table, many in rows.items():
            c.execute(insert(table.__table__), many)
