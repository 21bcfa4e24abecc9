"""Reading a run's entries: by batch, by key, by snapshot, and as one digest."""

from __future__ import annotations

import hashlib
import json
import string
from typing import Any

from sqlalchemy import Row, or_, select

from db.engine import Store
from db.errors import LedgerError, LedgerUnknown
from db.integration import split_marks
from db.models import Entry, Look, Parent, Promotion
from db.packing import load
from db.records import (
    TIMED_MARKS,
    EntryId,
    EntryKey,
    EntryKind,
    EntryRecord,
    LookRecord,
    PromotionRecord,
)

_ENTRY = Entry.__table__


class Archive(Store):
    def entries(
        self, run: str, batch: int | None = None, *, after: int | None = None
    ) -> tuple[EntryRecord, ...]:
        """In order of (k, kind): all, those of one batch, or those of the batches behind ``after``; the seeds are
        batch -1."""
        statement = select(_ENTRY).where(Entry.run == run)
        if after is not None:
            statement = statement.where(Entry.batch > after)
        if batch is not None:
            statement = statement.where(Entry.batch == batch)
        with self.reading() as c:
            found = [_entry(row) for row in c.execute(statement)]
        return tuple(sorted(found, key=_by_key))

    def entry(self, run: str, k: int, kind: EntryKind) -> EntryRecord | None:
        statement = select(_ENTRY).where(Entry.run == run, Entry.k == k, Entry.kind == kind)
        with self.reading() as c:
            row = c.execute(statement).first()
        return None if row is None else _entry(row)

    def entry_by_id(self, id: EntryId) -> EntryRecord:  # noqa: A002
        """Raises LedgerError for an unknown id."""
        with self.reading() as c:
            row = c.execute(select(_ENTRY).where(Entry.id == id)).first()
        if row is None:
            raise LedgerError(f"there is no entry {id} in {self.where}")
        return _entry(row)

    def entry_by_hash(self, run: str | None, prefix: str) -> EntryRecord:
        """The entry that first held the candidate whose hash begins so, in one run or (None) in any.

        Raises LedgerError when there is none or when several candidates match."""
        low = prefix.lower()
        if not low or set(low) - set(string.hexdigits):
            raise LedgerUnknown(f"{prefix!r} is not the beginning of a candidate's hash (hexadecimal digits)")
        statement = select(_ENTRY).where(Entry.candidate >= low, Entry.candidate < low + "g")
        if run is not None:
            statement = statement.where(Entry.run == run)
        statement = statement.order_by(Entry.duplicate_of.is_not(None), Entry.outcome == "refused", Entry.id)
        with self.reading() as c:
            rows = c.execute(statement).all()
        if not rows:
            raise LedgerUnknown(f"no candidate begins with {prefix!r} in {run or self.where}")
        if len({row.candidate for row in rows}) > 1:
            raise LedgerUnknown(f"several candidates begin with {prefix!r}; write more of the hash")
        return _entry(rows[0])

    def owner(self, run: str, hash: str) -> EntryRecord | None:  # noqa: A002
        """The entry of a run that owns the evaluation of this candidate, the one duplicates point to."""
        statement = select(_ENTRY).where(
            Entry.candidate == hash, Entry.run == run, Entry.duplicate_of.is_(None)
        )
        with self.reading() as c:
            row = c.execute(statement.order_by(Entry.outcome == "refused", Entry.id)).first()
        return None if row is None else _entry(row)

    def snapshot(self, run: str, g: int) -> tuple[EntryRecord, ...]:
        """The archive after batch ``g``, in order of (k, kind)."""
        statement = select(_ENTRY).where(
            Entry.run == run,
            Entry.archived_from <= g,
            or_(Entry.archived_to.is_(None), Entry.archived_to > g),
        )
        with self.reading() as c:
            found = [_entry(row) for row in c.execute(statement)]
        return tuple(sorted(found, key=_by_key))

    def looks(self, run: str) -> tuple[LookRecord, ...]:
        """In order of k."""
        with self.reading() as c:
            rows = c.execute(select(Look.__table__).where(Look.run == run).order_by(Look.k))
            return tuple(LookRecord(**{**r._mapping, "detail": load(r.detail)}) for r in rows)

    def promotions(self, run: str) -> tuple[PromotionRecord, ...]:
        """In order of batches; the first one is the best seed."""
        statement = select(Promotion.__table__).where(Promotion.run == run).order_by(Promotion.batch)
        with self.reading() as c:
            return tuple(PromotionRecord(**r._mapping) for r in c.execute(statement))

    def champion(self, run: str, g: int | None = None) -> EntryRecord | None:
        """The champion after batch ``g``, or now; None while the run has no seeds."""
        statement = select(_ENTRY).join(Promotion, Promotion.entry == Entry.id).where(Promotion.run == run)
        if g is not None:
            statement = statement.where(Promotion.batch <= max(g, -1))
        with self.reading() as c:
            row = c.execute(statement.order_by(Promotion.batch.desc()).limit(1)).first()
        return None if row is None else _entry(row)

    def parents(self, run: str) -> dict[EntryId, tuple[EntryId, ...]]:
        """The parents of every entry of a run that has any, in order of position."""
        statement = (
            select(Parent.child, Parent.parent).join(Entry, Entry.id == Parent.child).where(Entry.run == run)
        )
        with self.reading() as c:
            rows = c.execute(statement.order_by(Parent.child, Parent.position)).all()
        found: dict[EntryId, list[EntryId]] = {}
        for child, parent in rows:
            found.setdefault(EntryId(child), []).append(EntryId(parent))
        return {child: tuple(ids) for child, ids in found.items()}

    def digest(self, run: str) -> str:
        """SHA-256 over the run's entries: key, candidate, parents' keys, score, marks, outcome. Equal digests mean
        the same archive: times, ids, paths and marks that come from a clock do not count."""
        entries = self.entries(run)
        keys: dict[EntryId, EntryKey] = {e.id: e.key for e in entries}
        parents = self.parents(run)
        digest = hashlib.sha256()
        for e in entries:
            line = (
                e.k,
                e.kind,
                e.candidate,
                [keys[p] for p in parents.get(e.id, ())],
                None if e.score is None else float(e.score).hex(),
                sorted(e.marks - TIMED_MARKS),
                e.outcome,
            )
            digest.update(json.dumps(line, separators=(",", ":")).encode() + b"\n")
        return digest.hexdigest()


def _by_key(e: EntryRecord) -> tuple[int, str]:
    return e.k, e.kind


def _entry(row: Row[Any]) -> EntryRecord:
    values = dict(row._mapping)
    values["marks"] = split_marks(values.pop("mark"))
    return EntryRecord(**values)
