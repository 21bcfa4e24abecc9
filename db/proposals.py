"""Proposals: an intent before each call, the reply before it is read."""

from __future__ import annotations

from collections import Counter
from typing import Any, get_args

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Double,
    Row,
    SQLColumnExpression,
    bindparam,
    case,
    cast,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.types import TypeEngine

from db.engine import Store
from db.integration import lock_run
from db.models import Event, Proposal
from db.packing import clean, load, squeeze, stretch
from db.records import SUBMITTED_FROM, ProposalRecord, ProposalState, Spent
from db.runs import write_events

HANDED_OUT = "handed out"
"""Kind of the events that count how often a request was shown to who may answer it."""

_TABLE = Proposal.__table__
_FIND = select(_TABLE).where(
    Proposal.run == bindparam("_run"), Proposal.k == bindparam("_k"), Proposal.r == bindparam("_r")
)
_FIND_LOCKED = _FIND.with_for_update()
_INSERT = insert(_TABLE)  # type: ignore[arg-type]
_REPLIED = Proposal.state == "replied"
_UNCOUNTED = Proposal.prompt_tokens.is_(None) | Proposal.completion_tokens.is_(None)


def _sum(column: SQLColumnExpression[Any], kind: type[TypeEngine[Any]]) -> ColumnElement[Any]:
    return cast(func.coalesce(func.sum(column), 0), kind)


_SPENT = (
    select(
        Proposal.batch,
        func.count(Proposal.k.distinct()).label("samples"),
        func.count().label("requests"),
        _sum(Proposal.prompt_tokens, BigInteger).label("prompt_tokens"),
        _sum(Proposal.completion_tokens, BigInteger).label("completion_tokens"),
        _sum(Proposal.cost, Double).label("cost"),
        _sum(Proposal.seconds, Double).label("seconds"),
        _sum(Proposal.asked - 1, BigInteger).label("repeated"),
        func.count(case((_REPLIED & _UNCOUNTED, 1))).label("uncounted"),
        func.count(case((_REPLIED & Proposal.cost.is_(None), 1))).label("unpriced"),
    )
    .where(
        Proposal.run == bindparam("_run"),
        Proposal.batch > bindparam("_after"),
        Proposal.k < SUBMITTED_FROM,
    )
    .group_by(Proposal.batch)
    .order_by(Proposal.batch)
)
BEFORE_ALL = -2
"""Before every batch, that of the seeds included."""


class Proposals(Store):
    def intent(
        self,
        run: str,
        k: int,
        r: int,
        *,
        batch: int,
        operator: str,
        proposer: str,
        seed: int,
        messages_json: str | None = None,
        arm: str | None = None,
        temperature: float | None = None,
    ) -> ProposalRecord:
        """Record that request (k, r) is about to be sent. One that has a row is returned as it stands; while it is
        still open, ``asked`` goes up by one, since it may be paid twice."""
        with self.writing() as c:
            row = _find(c, run, k, r, lock=True)
            if row is None:
                blank = _blank(run, k, r, batch, operator, proposer, seed, messages_json)
                c.execute(_INSERT, {**blank, "arm": arm, "temperature": temperature})
            elif row.state == "intent":
                c.execute(update(Proposal).where(Proposal.id == row.id).values(asked=Proposal.asked + 1))
            else:
                return _record(row)
            return _record(_found(c, run, k, r))

    def reply(
        self,
        run: str,
        k: int,
        r: int,
        *,
        state: ProposalState,
        text: str | None = None,
        model: str | None = None,
        finish: str | None = None,
        prompt_tokens: int | None = None,
        completion_tokens: int | None = None,
        cost: float | None = None,
        seconds: float = 0.0,
        reason: str = "",
    ) -> ProposalRecord:
        """Record what came back for an open intent. The first reply stands: a second one changes nothing, and the
        stored row is returned. Raises ValueError without an intent."""
        values = _answer(state, text, model, finish, prompt_tokens, completion_tokens, cost, seconds, reason)
        with self.writing() as c:
            row = _find(c, run, k, r, lock=True)
            if row is None:
                raise ValueError(f"request ({k}, {r}) of run {run} has no intent; record it before the call")
            if row.state != "intent":
                return _record(row)
            c.execute(update(Proposal).where(Proposal.id == row.id), values)
            return _record(_found(c, run, k, r))

    def answer(self, run: str, k: int, r: int, *, text: str, model: str) -> bool:
        """Record what a person or an agent said to an open request. False, changing nothing, when it was answered
        before: of two that answer at once, one is told so. Raises ValueError without a request."""
        values = _answer("replied", text, model, None, None, None, None, 0.0, "")
        with self.writing() as c:
            row = _find(c, run, k, r, lock=True)
            if row is None:
                raise ValueError(f"there is no request ({k}, {r}) in run {run}")
            if row.state != "intent":
                return False
            c.execute(update(Proposal).where(Proposal.id == row.id), values)
        return True

    def hand_out(self, run: str, proposer: str) -> ProposalRecord | None:
        """The open request of ``proposer`` that was handed out least often, the first of equals; this is counted.
        None when none is open. Two that ask at once get two requests where there are two."""
        statement = select(_TABLE).where(
            Proposal.run == run, Proposal.state == "intent", Proposal.proposer == proposer
        )
        counts = select(Event.data).where(Event.run == run, Event.kind == HANDED_OUT)
        with self.writing() as c:
            lock_run(c, run, self.where)
            rows = c.execute(statement.order_by(Proposal.k, Proposal.r)).all()
            if not rows:
                return None
            told = Counter((e["k"], e["r"]) for e in map(load, c.execute(counts).scalars()))
            row = min(rows, key=lambda row: (told[row.k, row.r], row.k, row.r))
            write_events(c, run, ((HANDED_OUT, {"k": row.k, "r": row.r}),), self._clock())
        return _record(row)

    def record_reply(
        self,
        run: str,
        k: int,
        r: int,
        *,
        batch: int,
        operator: str,
        proposer: str,
        seed: int,
        messages_json: str | None = None,
        arm: str | None = None,
        temperature: float | None = None,
        state: ProposalState,
        text: str | None = None,
        model: str | None = None,
        finish: str | None = None,
        prompt_tokens: int | None = None,
        completion_tokens: int | None = None,
        cost: float | None = None,
        seconds: float = 0.0,
        reason: str = "",
    ) -> ProposalRecord:
        """Intent and reply in one transaction, for proposers that cost nothing. The first reply stands."""
        values = _answer(state, text, model, finish, prompt_tokens, completion_tokens, cost, seconds, reason)
        with self.writing() as c:
            row = _find(c, run, k, r, lock=True)
            if row is None:
                new = _blank(run, k, r, batch, operator, proposer, seed, messages_json) | values
                new |= {"arm": arm, "temperature": temperature}
                made = c.execute(_INSERT, new).inserted_primary_key or (0,)
                return ProposalRecord(**new | {"id": made[0], "prompt": messages_json, "reply": text})
            if row.state == "intent":
                c.execute(update(Proposal).where(Proposal.id == row.id), values)
            else:
                return _record(row)
            return _record(_found(c, run, k, r))

    def proposal(self, run: str, k: int, r: int) -> ProposalRecord | None:
        with self.reading() as c:
            row = _find(c, run, k, r)
        return None if row is None else _record(row)

    def proposals(
        self, run: str, batch: int | None = None, *, after: int | None = None
    ) -> tuple[ProposalRecord, ...]:
        """The slots' requests in order of (k, r): all, those of one batch, or of the batches behind ``after``."""
        slots = select(_TABLE).where(Proposal.run == run, Proposal.k < SUBMITTED_FROM)
        statement = slots.order_by(Proposal.k, Proposal.r)
        if batch is not None:
            statement = statement.where(Proposal.batch == batch)
        if after is not None:
            statement = statement.where(Proposal.batch > after)
        with self.reading() as c:
            return tuple(_record(row) for row in c.execute(statement))

    def spent(self, run: str) -> Spent:
        """What the run has used so far, open intents included."""
        return sum((used for _, used in self.spent_by_batch(run)), Spent())

    def spent_by_batch(self, run: str, after: int = BEFORE_ALL) -> tuple[tuple[int, Spent], ...]:
        """What each batch behind ``after`` has used, in their order."""
        with self.reading() as c:
            rows = [dict(r._mapping) for r in c.execute(_SPENT, {"_run": run, "_after": after})]
        return tuple((row.pop("batch"), Spent(**row)) for row in rows)


def _find(c: Connection, run: str, k: int, r: int, lock: bool = False) -> Row[Any] | None:
    return c.execute(_FIND_LOCKED if lock else _FIND, {"_run": run, "_k": k, "_r": r}).first()


def _found(c: Connection, run: str, k: int, r: int) -> Row[Any]:
    row = _find(c, run, k, r)
    assert row is not None
    return row


def _blank(
    run: str, k: int, r: int, batch: int, operator: str, proposer: str, seed: int, messages: str | None
) -> dict[str, Any]:
    return {
        "run": run,
        "k": k,
        "r": r,
        "batch": batch,
        "operator": operator,
        "proposer": proposer,
        "seed": seed,
        "prompt": None if messages is None else squeeze(messages),
        "state": "intent",
        "seconds": 0.0,
        "asked": 1,
        "reason": "",
    }


def _answer(
    state: str,
    text: str | None,
    model: str | None,
    finish: str | None,
    prompt_tokens: int | None,
    completion_tokens: int | None,
    cost: float | None,
    seconds: float,
    reason: str,
) -> dict[str, Any]:
    if state not in get_args(ProposalState) or state == "intent":
        raise ValueError(f"unknown state {state!r} of a reply; expected replied, refused or failed")
    return {
        "state": state,
        "reply": None if text is None else squeeze(text),
        "model": None if model is None else clean(model),
        "finish": None if finish is None else clean(finish),
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "cost": cost,
        "seconds": seconds,
        "reason": clean(reason),
    }


def _record(row: Row[Any]) -> ProposalRecord:
    values = dict(row._mapping)
    for name in ("prompt", "reply"):
        values[name] = None if values[name] is None else stretch(values[name])
    return ProposalRecord(**values)
