"""A slot: one operator draw, at most two requests, and one candidate, one note, or one reason why there is none.

Everything is looked up in the ledger before it is done, so a slot can be asked for again at any time: after a crash
only a request whose reply was not recorded is sent again.
"""

from __future__ import annotations

import json
from collections.abc import Container, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TypedDict

from db.attempts import attempts
from db.ledger import Ledger
from db.records import ProposalRecord, ProposalState
from discovery.candidate import Candidate, Refused
from discovery.draws import generator, key
from discovery.feedback import Feedback
from discovery.population.archive import Snapshot
from discovery.population.memory import Broken
from discovery.population.strategy import Plan, Situation, Strategy, planned
from discovery.proposers.base import (
    Brief,
    Failure,
    Fault,
    Message,
    Operator,
    Proposer,
    ProposerNoReply,
    ProposerRefused,
    ProposerWaiting,
    Reply,
    Request,
)
from discovery.proposers.choice import Choice, Tally
from discovery.proposers.notes import note_text
from discovery.proposers.reading import Unreadable, read_candidate
from discovery.recall import Recall


@dataclass(frozen=True)
class View:
    """What batch g may know: the state after batch g−2."""

    snapshot: Snapshot
    known: Container[str]
    rejected: tuple[str, ...]
    broken: tuple[Broken, ...] = ()
    notes: tuple[str, ...] = ()
    models: Mapping[str, Tally] = field(default_factory=dict)
    """How the models did."""


@dataclass(frozen=True)
class Slot:
    """The end of slot ``k``: a checked candidate, a note, or neither with the reason. ``lost`` marks a slot that got no
    reply at all, which says nothing about its idea."""

    k: int
    plan: Plan
    candidate: Candidate | None
    reason: str = ""
    lost: bool = False
    note: str = ""


class _Identity(TypedDict):
    """What a request's row says whether or not it was answered."""

    batch: int
    operator: str
    proposer: str
    seed: int
    messages_json: str | None
    arm: str | None
    temperature: float | None


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
        feedback: Feedback,
        choice: Choice | None = None,
    ) -> None:
        """``choice`` says which model and temperature a slot gets; None where there is nothing to choose."""
        self._choice = choice
        self._run, self._seed, self._batch = run, seed, batch
        self._brief, self._strategy = brief, strategy
        self._proposer, self._ledger, self._feedback = proposer, ledger, feedback
        self._recall = Recall(run, batch, ledger)

    def plan(self, k: int, view: View, operators: frozenset[Operator] | None = None) -> Plan:
        """The slot's operator and parents: a pure function of the view and the slot's own generator. ``operators``
        leaves the choice among fewer than the proposer's own."""
        island = k % len(view.snapshot.islands)
        situation = Situation(island, view.snapshot, operators or self._proposer.operators, view.broken)
        return planned(self._strategy, situation, generator(self._seed, k, 0, "plan"))

    def learn(self, g: int) -> None:
        """Batch ``g`` is integrated: how its models did is known from now on."""
        if self._choice is not None and self._choice.learns:
            self._choice.learn(g, attempts(self._ledger, self._run, g))

    def models(self, g: int) -> Mapping[str, Tally]:
        """How the models had done after batch ``g``."""
        return self._choice.known(g) if self._choice is not None else {}

    def request(self, k: int, view: View, operators: frozenset[Operator] | None = None) -> Request:
        """The first request of slot ``k``."""
        plan = self.plan(k, view, operators)
        seed = view.snapshot.seeds[0]
        model, temperature = self._choice.choose(k, view.models) if self._choice is not None else (None, None)
        return Request(
            slot=k,
            attempt=0,
            operator=plan.operator,
            seed=self._seed,
            brief=self._brief,
            parents=self._feedback.parents(plan.parents, seed),
            rejected=view.rejected,
            known=view.known,
            fault=self._fault(plan),
            notes=view.notes,
            rival=self._feedback.rival(seed),
            model=model,
            temperature=temperature,
        )

    def _fault(self, plan: Plan) -> Fault | None:
        if plan.broken is None:
            return None
        code = self._ledger.candidate_code(plan.broken.hash)
        return Fault(code, f"{plan.broken.outcome}: {plan.broken.reason}")

    def prompt(self, k: int, view: View) -> tuple[Message, ...]:
        """The messages of the first request of slot ``k``."""
        return self._proposer.prompt(self.request(k, view))

    def reserve(self, ks: Sequence[int], view: View) -> list[int]:
        """Tokens to reserve for the first request of each slot."""
        return [self._proposer.reserve(self.prompt(k, view)) for k in ks]

    @property
    def most_tokens(self) -> int:
        """Most tokens that one request may use."""
        return self._proposer.most_tokens

    def fill(self, k: int, view: View, *, repair: bool = True) -> Slot:
        """Ask for slot ``k``, and with ``repair`` once more with the reason when the reply is not what was asked for.

        Raises ProposerUnavailable when the proposer does not work at all, ProposerWaiting when nobody has answered
        yet; the slot can then be filled later."""
        plan, request = self.plan(k, view), self.request(k, view)
        row = self._row(request)
        slot = self._read(plan, request, row)
        if slot.candidate is not None or slot.note or row.state != "replied" or not repair:
            return slot
        again = replace(request, attempt=1, failure=Failure(row.reply or "", slot.reason))
        row = self._row(again)
        # A repair that got no reply changes nothing: the first reason is the one worth knowing.
        return self._read(plan, again, row) if row.state == "replied" else slot

    def answered(self, k: int, r: int, view: View) -> Slot:
        """What the reply to request (k, r) is by itself. Raises ValueError when there is none."""
        row = self._ledger.proposal(self._run, k, r)
        if row is None:
            raise ValueError(f"request ({k}, {r}) was never made")
        return self._read(self.plan(k, view), self.request(k, view), row)

    def _row(self, request: Request) -> ProposalRecord:
        row = self._recall.row(request.slot, request.attempt)
        return row if row is not None and row.state != "intent" else self._ask(request)

    def _read(self, plan: Plan, request: Request, row: ProposalRecord) -> Slot:
        if row.state != "replied":
            return Slot(request.slot, plan, None, row.reason, lost=row.state == "failed")
        try:
            if plan.operator == "reflect":
                return Slot(request.slot, plan, None, note=note_text(row.reply or ""))
            found = read_candidate(row.reply or "", request.edited, self._brief.interface)
            return Slot(request.slot, plan, found)
        except (Unreadable, Refused) as error:
            return Slot(request.slot, plan, None, str(error))

    def _ask(self, request: Request) -> ProposalRecord:
        messages = self._proposer.prompt(request)
        identity = self._identity(request, messages)
        if self._proposer.paid:
            open_ = self._ledger.intent(self._run, request.slot, request.attempt, **identity)
            if open_.state != "intent":
                return open_
        state: ProposalState = "replied"
        try:
            reply, reason = self._proposer.ask(request, messages), ""
        except ProposerWaiting:
            if self._ledger.proposal(self._run, request.slot, request.attempt) is None:
                self._ledger.intent(self._run, request.slot, request.attempt, **identity)
            raise
        except ProposerRefused as error:
            reply = error.reply or Reply("", self._proposer.model or self._proposer.name)
            state = "failed" if isinstance(error, ProposerNoReply) else "refused"
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
            "arm": request.model,
            "temperature": request.temperature,
        }
