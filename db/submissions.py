"""Submissions: candidates from outside the slots, handed in by anybody at any time, entered with a batch.

They stand among the proposals, with numbers far behind those of the slots; an event keeps their parents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import Connection, bindparam, func, insert, select

from db.engine import Store
from db.integration import lock_run
from db.models import Entry, Event, Proposal
from db.packing import load, squeeze, stretch
from db.records import SUBMITTED_FROM, EntryKey, EntryKind, SubmissionRecord
from db.runs import write_events

KIND = "submission"
_ENTERED = select(Entry.id).where(
    Entry.run == Proposal.run, Entry.kind == "submitted", Entry.k == Proposal.k - SUBMITTED_FROM
)
_WAITING = (
    select(Proposal.k, Proposal.operator, Proposal.reply, Proposal.prompt)
    .where(Proposal.run == bindparam("_run"), Proposal.k >= SUBMITTED_FROM, Proposal.state == "replied")
    .where(~_ENTERED.exists())
    .order_by(Proposal.k)
)


class Submissions(Store):
    def next_submission(self, run: str) -> int:
        """The number that the next submission of a run gets, if no other comes before it."""
        with self.reading() as c:
            return _next(c, run)

    def add_submission(
        self,
        run: str,
        *,
        operator: str,
        proposer: str,
        parents: Sequence[EntryKey],
        text: str | None = None,
        messages_json: str | None = None,
    ) -> int:
        """Hand a candidate in, or (without ``text``) open a request for one; its number. Raises LedgerError for an
        unknown run."""
        with self.writing() as c:
            batch = lock_run(c, run, self.where) + 1
            number = _next(c, run)
            row = {
                "run": run,
                "k": SUBMITTED_FROM + number,
                "r": 0,
                "batch": batch,
                "operator": operator,
                "proposer": proposer,
                "model": None if text is None else proposer,
                "seed": 0,
                "prompt": None if messages_json is None else squeeze(messages_json),
                "reply": None if text is None else squeeze(text),
                "state": "intent" if text is None else "replied",
                "seconds": 0.0,
                "asked": 1,
                "reason": "",
            }
            c.execute(insert(Proposal), row)
            keys = [list(key) for key in parents]
            write_events(c, run, ((KIND, {"number": number, "parents": keys}),), self._clock())
        return number

    def waiting_submissions(self, run: str) -> tuple[SubmissionRecord, ...]:
        """Those that were handed in and have no entry yet, in order."""
        with self.reading() as c:
            rows = c.execute(_WAITING, {"_run": run}).all()
            if not rows:
                return ()
            events = select(Event.data).where(Event.run == run, Event.kind == KIND)
            data: list[Any] = [load(e) for e in c.execute(events).scalars()]
        parents = {e["number"]: e["parents"] for e in data}
        return tuple(
            SubmissionRecord(
                number=row.k - SUBMITTED_FROM,
                operator=row.operator,
                text=stretch(row.reply),
                prompted=row.prompt is not None,
                parents=tuple(
                    EntryKey(k, cast(EntryKind, kind)) for k, kind in parents.get(row.k - SUBMITTED_FROM, ())
                ),
            )
            for row in rows
        )


def _next(c: Connection, run: str) -> int:
    """One more than the last of those handed in and (in a replay, where none were) those entered."""
    asked = select(func.max(Proposal.k)).where(Proposal.run == run, Proposal.k >= SUBMITTED_FROM)
    entered = select(func.max(Entry.k)).where(Entry.run == run, Entry.kind == "submitted")
    last, own = c.execute(asked).scalar(), c.execute(entered).scalar()
    return 1 + max(-1 if last is None else last - SUBMITTED_FROM, -1 if own is None else own)
