"""A person or an agent proposes: what is asked, what is told, and how it did.

An open request is a row in the ledger without a reply. To tell is to record the reply and then to go on with the run
like anybody who resumes it, so that there is one loop, whoever answers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from db.errors import LedgerError, RunHeld
from db.ledger import Ledger
from db.records import SUBMITTED_FROM, EntryKey, RunRecord
from discovery.baselines import best_baseline
from discovery.campaign import Campaign
from discovery.candidate import Candidate, check
from discovery.config import AS_STARTED, Where
from discovery.errors import EnvironmentProblem, UsageError
from discovery.evaluation import Evaluation
from discovery.execution.make import make_executor
from discovery.progress import StopSignal
from discovery.proposers import manual
from discovery.run import Listener, resume
from discovery.scoring import ScoreReport
from discovery.submissions import read
from evaluators.registry import load
from evaluators.task import Task

MAX_REPLY = 1_000_000
"""Characters of an answer."""
_ID = re.compile(r"(s?)(\d{1,9})(?:\.(1))?")


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
    """The next open request of a run. The same one again while it is not answered, unless its batch has another. A
    finished run gets a request of its own for each candidate more.

    Raises LedgerError for an unknown run, UsageError when nothing is open."""
    with Ledger.open(db, create=False) as ledger:
        record = ledger.run(run)
        row = ledger.hand_out(record.id, manual.NAME)
        if row is None and record.status == "done":
            current(record)
            resume(db, record.id, visitor=_Question())
            row = ledger.hand_out(record.id, manual.NAME)
    if row is None:
        raise UsageError(f"run {record.id} has no open request: {_why_closed(record)}")
    messages = json.loads(row.prompt or "[]")
    return Asked(_id(row.k, row.r), "\n\n".join(str(m["content"]).strip() for m in messages) + "\n")


def tell(
    db: str,
    run: str,
    id_: str,
    text: str,
    *,
    where: Where = AS_STARTED,
    on_progress: Listener | None = None,
    stop: StopSignal | None = None,
) -> Told:
    """Answer an open request and go on with the run as far as it can go.

    Raises UsageError for an id that is not open and a text that cannot be kept, RunHeld when another process works on
    the run; the run is then as it was. Else as :func:`discovery.run.resume`."""
    with Ledger.open(db, create=False) as ledger:
        record = ledger.run(run)
        current(record)
        k, r = _open_request(ledger, record, id_)
    visit = _Answer(k, r, readable(text))
    report = resume(db, record.id, where=where, on_progress=on_progress, stop=stop, visitor=visit)
    return Told(report.run, report.status, *visit.found[0])


def submit(
    db: str,
    run: str,
    text: str,
    *,
    parent: str | None = None,
    where: Where = AS_STARTED,
    on_progress: Listener | None = None,
    stop: StopSignal | None = None,
) -> Told:
    """Hand a candidate to a run at any time. A finished run takes it in at once and is finished again; any other with
    its next batch, whoever works on it. ``parent`` begins the hash of a candidate of the run that it was made from.

    Raises UsageError for a parent that the run does not know, a run whose task has changed, a text that cannot be kept;
    nothing is recorded then. What is no candidate is recorded as refused, and scored as such."""
    text = readable(text)
    with Ledger.open(db, create=False) as ledger:
        record = ledger.run(run)
        task = current(record)
        if record.control_of is not None:
            raise UsageError(
                f"run {record.id} is a control, whose only parents are the seeds; submit to run {record.control_of}"
            )
        finished = record.status == "done"
        if record.settings.get("replay") is not None and not finished:
            raise UsageError(
                f"run {record.id} is a replay; `discover resume {record.id}` ends it, then it takes others in"
            )
        parents = () if parent is None else (_parent(ledger, record, parent),)
        told = None if finished else _outside(ledger, record, task, text)
        number = ledger.add_submission(
            record.id,
            operator="improve" if parents else "create",
            proposer=manual.NAME,
            parents=parents,
            text=text,
        )
    if told is not None:
        return told
    visit = _Arrival(number)
    try:
        report = resume(db, record.id, where=where, on_progress=on_progress, stop=stop, visitor=visit)
    except RunHeld as error:
        raise EnvironmentProblem(
            f"the candidate is recorded, but {error}; then `discover resume {record.id}` takes it in"
        ) from None
    return Told(report.run, report.status, *visit.found[0])


def current(record: RunRecord) -> Task:
    """The task of a run that somebody wants to add to. Raises UsageError when scores would no longer compare."""
    task = load(record.task, {k: str(v) for k, v in record.options.items()})
    if task.version != record.evaluator_version:
        raise UsageError(
            f"run {record.id} was made with version {record.evaluator_version} of the evaluator of {task.name!r}, "
            f"now it is {task.version}: scores would not compare; start a new run"
        )
    return task


def _outside(ledger: Ledger, record: RunRecord, task: Task, text: str) -> Told:
    """The score of a candidate that the run takes in later: run here, and stored for when that is."""
    candidate, reason = read(text, (), task.interface, prompted=False)
    executor = make_executor(task, "local", 1, unsafe=bool(record.settings.get("unsafe")))
    try:
        if executor.isolated != record.isolated:
            raise EnvironmentProblem(
                f"run {record.id} was {'' if record.isolated else 'not '}isolated, and this machine is not the same "
                "in that; submit where it was started"
            )
        evaluation = Evaluation(task, executor, ledger)
        if candidate is None:
            return Told(record.id, record.status, None, refused(task, evaluation, reason))
        known = candidate.hash if ledger.owner(record.id, candidate.hash) is not None else None
        return Told(record.id, record.status, candidate.hash, scored(task, evaluation, candidate, known))
    finally:
        executor.close()


def _parent(ledger: Ledger, record: RunRecord, prefix: str) -> EntryKey:
    try:
        return ledger.entry_by_hash(record.id, prefix).key
    except LedgerError as error:
        raise UsageError(f"--parent {prefix!r}: {error}") from None


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
        if self.k >= SUBMITTED_FROM:
            self.found.append(_entered(campaign, self.k - SUBMITTED_FROM))
            return
        slot = campaign.answered(self.k, self.r)
        entry = campaign.ledger.entry(campaign.run, self.k, "own")
        known = entry is not None and entry.duplicate_of is not None
        self.found.append(_found(campaign, slot.candidate, slot.reason, known))


@dataclass
class _Arrival:
    """The visit of somebody who handed a candidate in."""

    number: int
    found: list[tuple[str | None, ScoreReport]] = field(default_factory=list)

    def arrive(self, ledger: Ledger, run: str) -> None:
        """It is in the ledger already."""

    def leave(self, campaign: Campaign) -> None:
        self.found.append(_entered(campaign, self.number))


class _Question:
    """The visit of somebody who wants a request from a finished run."""

    def arrive(self, ledger: Ledger, run: str) -> None:
        """Nothing is brought."""

    def leave(self, campaign: Campaign) -> None:
        ledger, run = campaign.ledger, campaign.run
        request = campaign.newest_request(SUBMITTED_FROM + ledger.next_submission(run))
        messages = manual.ManualProposer().prompt(request)
        keys = [ledger.entry_by_hash(run, parent.hash).key for parent in request.parents]
        ledger.add_submission(
            run,
            operator=request.operator,
            proposer=manual.NAME,
            parents=keys,
            messages_json=json.dumps([asdict(m) for m in messages]),
        )


def _entered(campaign: Campaign, number: int) -> tuple[str | None, ScoreReport]:
    """How a submission did that was taken in."""
    entry = campaign.ledger.entry(campaign.run, number, "submitted")
    if entry is None:
        raise EnvironmentProblem(
            f"the candidate is recorded, and `discover resume {campaign.run}` takes it in; this sitting was stopped"
        )
    candidate = None
    if entry.candidate is not None:
        candidate = check(campaign.ledger.candidate_code(entry.candidate), campaign.task.interface)
    return _found(campaign, candidate, entry.reason, entry.duplicate_of is not None)


def _found(
    campaign: Campaign, candidate: Candidate | None, reason: str, known: bool
) -> tuple[str | None, ScoreReport]:
    task, evaluation = campaign.task, campaign.evaluation
    if candidate is None:
        return None, refused(task, evaluation, reason)
    return candidate.hash, scored(task, evaluation, candidate, candidate.hash if known else None)


def scored(task: Task, evaluation: Evaluation, candidate: Candidate, known: str | None) -> ScoreReport:
    """The candidate on the search split, in full: what the loop stopped early is run to its end."""
    evaluated = evaluation.search(candidate, None)
    instances = task.instances("search")
    stored = evaluation.stored(candidate.hash, instances)
    rows = () if stored is None else zip(instances, stored.scores, stored.values, stored.cpu, strict=False)
    values = stored.values if stored is not None and evaluated.score is not None else ()
    return ScoreReport(
        task=task,
        split="search",
        outcome=evaluated.outcome,
        reason=evaluated.reason,
        known=known,
        score=evaluated.score,
        baseline=best_baseline(task, "search"),
        rows=tuple(rows),
        figures=task.figures(instances.instances, values) if values else (),
        isolated=evaluation.isolated,
        marginal=evaluated.marginal,
    )


def refused(task: Task, evaluation: Evaluation, reason: str) -> ScoreReport:
    """The report of a text that is no candidate."""
    return ScoreReport(
        task=task,
        split="search",
        outcome="rejected",
        reason=reason,
        known=None,
        score=None,
        baseline=best_baseline(task, "search"),
        rows=(),
        figures=(),
        isolated=evaluation.isolated,
        marginal=False,
    )


def _id(k: int, r: int) -> str:
    """``17``, ``17.1`` for the repair of slot 17, ``s3`` for a candidate more after a run's end."""
    if k >= SUBMITTED_FROM:
        return f"s{k - SUBMITTED_FROM}"
    return f"{k}.{r}" if r else str(k)


def _open_request(ledger: Ledger, record: RunRecord, id_: str) -> tuple[int, int]:
    """The request that ``id_`` names. Raises UsageError when it is not open."""
    found = _ID.fullmatch(id_)
    if found is None:
        raise UsageError(f"{id_!r} is no id of a request, such as 17 or 17.1; `discover ask` gives one")
    k, r = int(found[2]) + (SUBMITTED_FROM if found[1] else 0), int(found[3] or 0)
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
    return f"it has stopped; `discover resume {record.id}` goes on with it"


def _proposer(settings: Mapping[str, object]) -> str:
    inner = settings.get("settings")
    return str(inner.get("proposer")) if isinstance(inner, Mapping) else ""
