"""What came of each slot and what it took: proposals, entry and parents side by side, without prompts and replies."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, select
from sqlalchemy.orm import aliased

from db.engine import Store
from db.models import Entry, Parent, Proposal
from db.records import Attempt

_ABOVE = aliased(Entry)
_SLOTS = (
    select(
        Entry.k, Entry.batch, Entry.operator, Entry.outcome, Entry.candidate, Entry.duplicate_of, Entry.score,
        Parent.parent, _ABOVE.score.label("above"),
    )
    .outerjoin(Parent, Parent.child == Entry.id)
    .outerjoin(_ABOVE, _ABOVE.id == Parent.parent)
    .where(Entry.kind == "own")
    .order_by(Entry.k, Parent.position)
)  # fmt: skip
_REQUESTS = select(
    Proposal.k, Proposal.state, Proposal.arm, Proposal.model, Proposal.temperature, Proposal.prompt_tokens,
    Proposal.completion_tokens, Proposal.cost,
).order_by(Proposal.k, Proposal.r)  # fmt: skip


def attempts(ledger: Store, run: str, batch: int | None = None) -> tuple[Attempt, ...]:
    """The integrated slots of a run, or of one of its batches, in order."""
    slots, requests = _SLOTS.where(Entry.run == run), _REQUESTS.where(Proposal.run == run)
    if batch is not None:
        slots, requests = slots.where(Entry.batch == batch), requests.where(Proposal.batch == batch)
    with ledger.reading() as c:
        entries = _by_slot(c.execute(slots))
        proposals = _by_slot(c.execute(requests))
    return tuple(_attempt(rows, proposals.get(k, [])) for k, rows in entries.items())


def _by_slot(rows: Iterable[Row[Any]]) -> dict[int, list[Row[Any]]]:
    found: dict[int, list[Row[Any]]] = {}
    for row in rows:
        found.setdefault(row.k, []).append(row)
    return found


def _attempt(rows: list[Row[Any]], requests: list[Row[Any]]) -> Attempt:
    entry = rows[0]
    answered = [r for r in requests if r.state == "replied" or r.completion_tokens is not None]
    counts = [c for r in answered for c in (r.prompt_tokens, r.completion_tokens)]
    costs = [r.cost for r in answered]
    first = requests[0] if requests else None
    return Attempt(
        k=entry.k,
        batch=entry.batch,
        operator=entry.operator,
        arm=(first.arm or first.model) if first is not None else None,
        temperature=first.temperature if first is not None else None,
        requests=len(requests),
        replies=sum(r.state == "replied" for r in requests),
        tokens=None if None in counts else sum(counts),
        cost=None if None in costs else sum(costs),
        outcome=entry.outcome,
        checked=entry.candidate is not None,
        duplicate=entry.duplicate_of is not None,
        score=entry.score,
        parents=tuple(r.above for r in rows if r.parent is not None),
    )
