"""A slot: one operator draw, at most two requests, one candidate or one reason why there is none.

Everything is looked up in the ledger before it is done, so a slot can be asked for again at any time: after a crash
only a request whose reply was not recorded is sent again.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypedDict

from db.ledger import Ledger
from db.records import ProposalRecord, ProposalState
from discovery.budget import Budget
from discovery.candidate import Candidate, Refused, check
from discovery.draws import generator, key
from discovery.population.archive import Snapshot
from discovery.population.strategy import Plan, Strategy
from discovery.proposers.base import (
    Brief,
    Failure,
    Message,
    Parent,
    Proposer,
    ProposerRefused,
    Reply,
    Request,
)
from discovery.proposers.reading import Unreadable, candidate_text


@dataclass(frozen=True)
class View:
    """What batch g may know: the state after batch g−2."""

    snapshot: Snapshot
    known: frozenset[str]
    rejected: tuple[str, ...]


@dataclass(frozen=True)
class Slot:
    """The end of slot ``k``: a checked candidate, or None with the reason. ``lost`` marks a slot that got no reply at
    all (budget, endpoint), which is not the fault of its text."""

    k: int
    plan: Plan
    candidate: Candidate | None
    reason: str = ""
    lost: bool = False


class _Identity(TypedDict):
    """What a request's row says whether or not it was answered."""

    batch: int
    operator: str
    proposer: str
    seed: int
    messages_json: str | None


class Slots:
    """Turns slot numbers into candidates. Thread-safe: slots are independent of one another."""

    def __init__(
        self,
        run: str,
        seed: int,
        batch: int,
        *,
        brief: Brief,
        strategy: Strategy,
        proposer: Proposer,
        ledger: Ledger,
        budget: Budget,
    ) -> None:
        self._run, self._seed, self._batch = run, seed, batch
        self._brief, self._strategy = brief, strategy
        self._proposer, self._ledger, self._budget = proposer, ledger, budget

    def plan(self, k: int, view: View) -> Plan:
        """The slot's operator and parents: a pure function of the snapshot and the slot's own generator."""
        island = k % len(view.snapshot.islands)
        return self._strategy.plan(island, view.snapshot, generator(self._seed, k, 0, "plan"))

    def request(self, k: int, view: View) -> Request:
        """The first request of slot ``k``."""
        plan = self.plan(k, view)
        parents = tuple(Parent(m.hash, m.code, m.score, m.by_group) for m in plan.parents)
        return Request(
            slot=k,
            attempt=0,
            operator=plan.operator,
            seed=self._seed,
            brief=self._brief,
            parents=parents,
            rejected=view.rejected,
            known=view.known,
        )

    def fill(self, k: int, view: View) -> Slot:
        """Ask for slot ``k``, and once more with the reason when the reply is no candidate.

        Raises ProposerUnavailable when the proposer does not work at all; the slot can then be filled later."""
        plan, request = self.plan(k, view), self.request(k, view)
        slot = self._attempt(plan, request)
        if slot.candidate is not None or slot.lost:
            return slot
        row = self._ledger.proposal(self._run, k, 0)
        if row is None or row.state != "replied":
            return slot
        failure = Failure(row.reply or "", slot.reason)
        second = self._attempt(plan, replace(request, attempt=1, failure=failure))
        return slot if second.lost else second

    def _attempt(self, plan: Plan, request: Request) -> Slot:
        row = self._ledger.proposal(self._run, request.slot, request.attempt)
        if row is None or row.state == "intent":
            row = self._ask(request)
        if row is None:
            return Slot(request.slot, plan, None, "the budget ended before this request", lost=True)
        if row.state != "replied":
            return Slot(request.slot, plan, None, row.reason, lost=row.state == "failed")
        try:
            text = candidate_text(row.reply or "", [p.code for p in request.parents], self._brief.interface)
            return Slot(request.slot, plan, check(text, self._brief.interface))
        except (Unreadable, Refused) as error:
            return Slot(request.slot, plan, None, str(error))

    def _ask(self, request: Request) -> ProposalRecord | None:
        messages = self._proposer.prompt(request)
        with self._budget.reserved(self._proposer.reserve(messages)) as granted:
            if not granted:
                return None
            identity = self._identity(request, messages)
            if self._proposer.paid:
                self._ledger.intent(self._run, request.slot, request.attempt, **identity)
            state: ProposalState = "replied"
            try:
                reply, reason = self._proposer.ask(request, messages), ""
            except ProposerRefused as error:
                reply = error.reply or Reply("", self._proposer.model or self._proposer.name)
                state = "refused"
                reason = str(error)
            return self._ledger.record_reply(
                self._run,
                request.slot,
                request.attempt,
                **identity,
                state=state,
                text=reply.text,
                model=reply.model,
                finish=reply.finish,
                prompt_tokens=reply.prompt_tokens,
                completion_tokens=reply.completion_tokens,
                cost=reply.cost,
                seconds=reply.seconds,
                reason=reason,
            )

    def _identity(self, request: Request, messages: Sequence[Message]) -> _Identity:
        return {
            "batch": request.slot // self._batch,
            "operator": request.operator,
            "proposer": self._proposer.name,
            "seed": key(self._seed, request.slot, request.attempt, "proposal"),
            "messages_json": json.dumps([asdict(m) for m in messages]) if messages else None,
        }
