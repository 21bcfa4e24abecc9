"""What a run's scored candidates cost: processor time on an instance set, and the size of their code."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from db.engine import Store
from db.models import Candidate, Entry, Evaluation
from db.packing import unpack


@dataclass(frozen=True, slots=True)
class Cost:
    """``seconds`` is the mean processor time of a call, ``slowest`` the longest, s; ``nodes`` the size of the syntax
    tree."""

    seconds: float
    slowest: float
    nodes: int


def costs(ledger: Store, run: str, set_digest: str, version: str, isolated: bool) -> dict[str, Cost]:
    """By hash, of the candidates of a run that have a score."""
    scored = select(Entry.candidate).where(Entry.run == run, Entry.score.is_not(None))
    statement = (
        select(Evaluation.candidate, Evaluation.cpu, Candidate.nodes)
        .join(Candidate, Candidate.hash == Evaluation.candidate)
        .where(
            Evaluation.candidate.in_(scored),
            Evaluation.set_digest == set_digest,
            Evaluation.evaluator_version == version,
            Evaluation.isolated == isolated,
            Evaluation.m > 0,
        )
    )
    with ledger.reading() as c:
        rows = c.execute(statement).all()
    found = {}
    for row in rows:
        seconds = unpack(row.cpu)
        found[row.candidate] = Cost(sum(seconds) / len(seconds), max(seconds), row.nodes)
    return found
