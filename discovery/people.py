"""A person or an agent proposes: what is asked, what is told, and how it did.

An open request is a row in the ledger without a reply. To tell is to record the reply and then to go on with the run
like anybody who resumes it, so that there is one loop, whoever answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from db.ledger import Ledger
from db.records import ProposalRecord, RunRecord
from discovery.baselines import best_baseline
from discovery.campaign import Campaign
from discovery.candidate import Candidate
from discovery.errors import UsageError
from discovery.progress import StopSignal
from discovery.proposers import manual
from discovery.run import Listener, resume
from discovery.scoring import ScoreReport

MAX_REPLY = 1_000_000
"""Characters of an answer."""
_ID = re.compile(r"(\d{1,9})(?:\.(1))?")


@dataclass(frozen=True)
class Asked:
    """An open request: its id, and the prompt that a model would get."""

    id: str
    prompt: str

    def to_json(self) -> dict[str, object]:
        """The documented object of ``ask --json``."""
        return {"id": self.id, "prompt": self.prompt}


@dataclass(frozen=True)
class Told:
    """How an answer did, scored in full. ``candidate`` is its hash; None when it is no candidate."""

    run: str
    status: str
    candidate: str | None
    score: ScoreReport

    def to_json(self) -> dict[str, object]:
        """The documented object of ``tell --json`` and ``submit --json``."""
        return {
            **self.score.to_json(),
            "candidate": self.candidate,
            "run": self.run,
            "run_status": self.status,
        }


def ask(db: str, run: str) -> Asked:
    """The next open request of a run. The same one again while it is not answered, unless its batch has another.

    Raises LedgerError for an unknown run, UsageError when nothing is open."""
    with Ledger.open(db, create=False) as ledger:
        record = ledger.run(run)
        row = ledger.hand_out(record.id, manual.NAME)
    if row is None:
        raise UsageError(f"run {record.id} has no open request: {_why_closed(record)}")
    messages = json.loads(row.prompt or "[]")
    return Asked(_name(row), "\n\n".join(str(m["content"]).strip() for m in messages) + "\n")


def tell(
    db: str,
    run: str,
    id_: str,
    text: str,
    *,
    workers: int | None = None,
    on_progress: Listener | None = None,
    stop: StopSignal | None = None,
) -> Told:
    """Answer an open request and go on with the run as far as it can go.

    Raises UsageError for an id that is not open and a text that cannot be kept, RunHeld when another process works on
    the run; the run is then as it was. Else as :func:`discovery.run.resume`."""
    with Ledger.open(db, create=False) as ledger:
        record = ledger.run(run)
        k, r = _open_request(ledger, record, id_)
    visit = _Answer(k, r, readable(text))
    report = resume(db, record.id, workers=workers, on_progress=on_progress, stop=stop, visitor=visit)
    return Told(report.run, report.status, *visit.found[0])


def readable(text: str) -> str:
    """``text`` when the ledger can keep it. Raises UsageError."""
    if len(text) > MAX_REPLY:
        raise UsageError(f"the text has {len(text)} characters; at most {MAX_REPLY} are read")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(f"the text is not UTF-8 (character {error.start}); write it in UTF-8") from None
    return text


@dataclass
class _Answer:
    """The visit of somebody who answers request (k, r)."""

    k: int
    r: int
    text: str
    found: list[tuple[str | None, ScoreReport]] = field(default_factory=list)

    def arrive(self, ledger: Ledger, run: str) -> None:
        if not ledger.answer(run, self.k, self.r, text=self.text, model=manual.NAME):
            raise UsageError(f"request {_id(self.k, self.r)} of run {run} is answered already")

    def leave(self, campaign: Campaign) -> None:
        slot = campaign.answered(self.k, self.r)
        if slot.candidate is None:
            self.found.append((None, refused(campaign, slot.reason)))
        else:
            entry = campaign.ledger.entry(campaign.run, self.k, "own")
            known = slot.candidate.hash if entry is not None and entry.duplicate_of is not None else None
            self.found.append((slot.candidate.hash, scored(campaign, slot.candidate, known)))


def scored(campaign: Campaign, candidate: Candidate, known: str | None) -> ScoreReport:
    """The candidate on the search split, in full: what the loop stopped early is run to its end."""
    evaluated = campaign.evaluation.search(candidate, None)
    instances = campaign.task.instances("search")
    stored = campaign.evaluation.stored(candidate.hash, instances)
    rows = () if stored is None else zip(instances, stored.scores, stored.values, stored.cpu, strict=False)
    values = stored.values if stored is not None and evaluated.score is not None else ()
    return ScoreReport(
        task=campaign.task,
        split="search",
        outcome=evaluated.outcome,
        reason=evaluated.reason,
        known=known,
        score=evaluated.score,
        baseline=best_baseline(campaign.task, "search"),
        rows=tuple(rows),
        figures=campaign.task.figures(instances.instances, values) if values else (),
        isolated=campaign.evaluation.isolated,
        marginal=evaluated.marginal,
    )


def refused(campaign: Campaign, reason: str) -> ScoreReport:
    """The report of a text that is no candidate."""
    return ScoreReport(
        task=campaign.task,
        split="search",
        outcome="rejected",
        reason=reason,
        known=None,
        score=None,
        baseline=best_baseline(campaign.task, "search"),
        rows=(),
        figures=(),
        isolated=campaign.evaluation.isolated,
        marginal=False,
    )


def _id(k: int, r: int) -> str:
    return f"{k}.{r}" if r else str(k)


def _name(row: ProposalRecord) -> str:
    return _id(row.k, row.r)


def _open_request(ledger: Ledger, record: RunRecord, id_: str) -> tuple[int, int]:
    """The request that ``id_`` names. Raises UsageError when it is not open."""
    found = _ID.fullmatch(id_)
    if found is None:
        raise UsageError(f"{id_!r} is no id of a request, such as 17 or 17.1; `discover ask` gives one")
    k, r = int(found[1]), int(found[2] or 0)
    row = ledger.proposal(record.id, k, r)
    if row is None or row.proposer != manual.NAME:
        raise UsageError(
            f"run {record.id} has no request {id_}; `discover ask {record.id}` gives the open one"
        )
    if row.state != "intent":
        raise UsageError(f"request {id_} of run {record.id} is answered already")
    return k, r


def _why_closed(record: RunRecord) -> str:
    if _proposer(record.settings) != manual.NAME:
        return "it does not wait for a person; start one with --proposer manual"
    if record.status == "done":
        return "all its samples are drawn"
    return f"it has stopped; `discover resume {record.id}` goes on with it"


def _proposer(settings: Mapping[str, object]) -> str:
    inner = settings.get("settings")
    return str(inner.get("proposer")) if isinstance(inner, Mapping) else ""
