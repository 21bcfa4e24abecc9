"""Candidates written at once and not as a run writes them, where a benchmark needs a ledger that holds many already."""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from spending import CALLS, SPIN
from sqlalchemy import Connection, func, insert, select, text, update

from db.ledger import Ledger
from db.models import Candidate, Entry, Evaluation, Parent, Proposal, Run
from db.packing import pack, squeeze

PIECE = 5_000


@dataclass(frozen=True)
class Filled:
    """A slot whose candidate was scored in full. ``id`` and ``parents`` are ids of entries; ``batch`` is also when it
    entered the archive, where it is a ``member``."""

    id: int
    k: int
    batch: int
    code: str
    scores: tuple[float, ...]
    parents: tuple[int, ...]
    islands: int = 4
    member: bool = False

    @property
    def hash(self) -> str:
        return f"{self.k:064x}"


def fill(path: Path, run: str, count: int, batch: int) -> None:
    """Add ``count`` fully scored candidates to a run that has its seeds and nothing else, ``batch`` to a batch, each a
    child of the seed. All of them score worse than the candidates that the benchmark proposes."""
    draw = random.Random(0)
    with Ledger.open(path) as ledger:
        (seed,) = ledger.entries(run)
        assert seed.candidate is not None
        like = evaluation_of(ledger, seed.candidate)
        first = next_id(ledger)
        for low in range(0, count, PIECE):
            slots = [
                Filled(
                    first + k,
                    k,
                    k // batch,
                    SPIN.format(salt=-k),
                    tuple(2.0 + draw.random() for _ in range(CALLS - 1)),
                    (seed.id,),
                )
                for k in range(low, min(count, low + PIECE))
            ]
            with ledger.writing() as c:
                write(c, run, slots, like)
        integrated(ledger, run, -(-count // batch) - 1)


def evaluation_of(ledger: Ledger, candidate: str) -> dict[str, Any]:
    """The row of a candidate's evaluation on the search split, without its id."""
    mine = (Evaluation.candidate == candidate, Evaluation.set_name == "search")
    with ledger.reading() as c:
        row = c.execute(select(Evaluation.__table__).where(*mine)).one()
    return {name: value for name, value in row._mapping.items() if name != "id"}


def next_id(ledger: Ledger) -> int:
    """The id of the entry that comes next."""
    with ledger.reading() as c:
        return 1 + int(c.execute(select(func.max(Entry.id))).scalar_one())


def integrated(ledger: Ledger, run: str, batch: int) -> None:
    """Say that a run is as far as ``batch``; PostgreSQL is told which ids are taken."""
    with ledger.writing() as c:
        c.execute(update(Run).where(Run.id == run).values(batches_done=batch))
        if c.dialect.name == "postgresql":
            c.execute(
                text("SELECT setval(pg_get_serial_sequence('entry', 'id'), (SELECT max(id) FROM entry))")
            )


def write(c: Connection, run: str, slots: Sequence[Filled], like: dict[str, Any]) -> None:
    """The rows of these slots: code, reply, entry, edges, evaluation. ``like`` is the evaluation of any candidate."""
    rows: dict[Any, Iterable[dict[str, Any]]] = {
        Candidate: (_candidate(s) for s in slots),
        Proposal: (_proposal(run, s) for s in slots),
        Entry: (_entry(run, s) for s in slots),
        Evaluation: ({**like, "candidate": s.hash, "scores": pack(s.scores)} for s in slots),
        Parent: ({"child": s.id, "position": i, "parent": p} for s in slots for i, p in enumerate(s.parents)),
    }
    for table, many in rows.items():
        c.execute(insert(table.__table__), list(many))


def _candidate(slot: Filled) -> dict[str, Any]:
    blob = squeeze(slot.code)
    return {"hash": slot.hash, "code": blob, "code_bytes": len(slot.code), "nodes": 30, "first_seen": 0.0}


def _proposal(run: str, slot: Filled) -> dict[str, Any]:
    return {
        **_place(run, slot),
        "r": 0,
        "proposer": "instant",
        "seed": slot.k,
        "state": "replied",
        "reply": squeeze(slot.code),
        "seconds": 0.0,
        "asked": 1,
        "reason": "",
    }


def _entry(run: str, slot: Filled) -> dict[str, Any]:
    return {
        **_place(run, slot),
        "id": slot.id,
        "kind": "own",
        "island": slot.k % slot.islands,
        "candidate": slot.hash,
        "outcome": "scored",
        "reason": "",
        "score": sum(slot.scores) / len(slot.scores),
        "m": len(slot.scores),
        "depth": 1,
        "archived_from": slot.batch if slot.member else None,
    }


def _place(run: str, slot: Filled) -> dict[str, Any]:
    return {"run": run, "k": slot.k, "batch": slot.batch, "operator": "improve"}
