"""Runs, their events and their exports."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, get_args

from sqlalchemy import Connection, Row, func, insert, select, update

from db.engine import Store
from db.errors import LedgerError, LedgerUnknown
from db.models import Entry, Event, Export, Run
from db.packing import clean, dump, load
from db.records import EntryId, EventRecord, ExportRecord, Json, RunRecord, RunStatus

_JSON = ("options", "settings", "versions", "templates", "layers")


class Runs(Store):
    def create_run(self, run: RunRecord) -> RunRecord:
        """Write a new run; ``created`` and ``updated`` are set here. Raises LedgerError when the id is taken."""
        _check_status(run.status)
        row: dict[str, Any] = {f.name: getattr(run, f.name) for f in fields(run)}
        row.update({name: dump(row[name]) for name in _JSON})
        row["created"] = row["updated"] = self._clock()
        row["reason"] = clean(run.reason)
        with self.writing() as c:
            if c.execute(select(Run.id).where(Run.id == run.id)).first():
                raise LedgerError(f"there is a run {run.id} already; choose another id")
            c.execute(insert(Run), row)
        return self.run(run.id)

    def run(self, id_or_prefix: str) -> RunRecord:
        """The run of this id, or the only one whose id begins so. Raises LedgerError."""
        with self.reading() as c:
            row = c.execute(select(Run.__table__).where(Run.id == id_or_prefix)).first()
            if row is not None:
                return _run(row)
            rows = c.execute(
                select(Run.__table__).where(Run.id.startswith(id_or_prefix, autoescape=True)).limit(2)
            ).all()
        if not id_or_prefix or not rows:
            raise LedgerUnknown(
                f"there is no run {id_or_prefix!r} in {self.where}; `discover runs` lists them"
            )
        if len(rows) > 1:
            raise LedgerUnknown(f"several runs begin with {id_or_prefix!r}; write more of the id")
        return _run(rows[0])

    def runs(self) -> tuple[RunRecord, ...]:
        """All runs, oldest first."""
        with self.reading() as c:
            return tuple(_run(r) for r in c.execute(select(Run.__table__).order_by(Run.created, Run.id)))

    def set_status(self, run: str, status: RunStatus, reason: str = "") -> None:
        """Raises LedgerError for an unknown run."""
        _check_status(status)
        with self.writing() as c:
            statement = update(Run).where(Run.id == run)
            done = c.execute(statement.values(status=status, reason=clean(reason), updated=self._clock()))
            if done.rowcount != 1:
                raise LedgerUnknown(f"there is no run {run!r} in {self.where}; `discover runs` lists them")

    def add_event(self, run: str | None, kind: str, data: Json | None = None) -> None:
        """Events are only added; ``run`` is None for one of the whole ledger."""
        with self.writing() as c:
            write_events(c, run, ((kind, data or {}),), self._clock())

    def events(self, run: str | None, kind: str | None = None) -> tuple[EventRecord, ...]:
        """Oldest first."""
        table = Event.__table__
        statement = select(table).where(Event.run == run).order_by(Event.id)
        if kind is not None:
            statement = statement.where(Event.kind == kind)
        with self.reading() as c:
            return tuple(
                EventRecord(r.id, r.run, r.kind, r.created, load(r.data)) for r in c.execute(statement)
            )

    def count_events(self, run: str | None, kind: str) -> int:
        statement = select(func.count()).select_from(Event).where(Event.run == run, Event.kind == kind)
        with self.reading() as c:
            return int(c.execute(statement).scalar_one())

    def add_export(self, run: str, entry: EntryId, path: str) -> None:
        with self.writing() as c:
            if c.execute(select(Entry.id).where(Entry.id == entry, Entry.run == run)).first() is None:
                raise LedgerError(f"run {run} has no entry {entry}")
            row = {"run": run, "entry": entry, "path": clean(path), "created": self._clock()}
            c.execute(insert(Export), row)

    def exports(self, run: str) -> tuple[ExportRecord, ...]:
        statement = select(Export.__table__).where(Export.run == run).order_by(Export.id)
        with self.reading() as c:
            return tuple(ExportRecord(**r._mapping) for r in c.execute(statement))


def write_events(c: Connection, run: str | None, events: tuple[tuple[str, Json], ...], now: float) -> None:
    rows = [{"run": run, "kind": kind, "created": now, "data": dump(data)} for kind, data in events]
    if rows:
        c.execute(insert(Event), rows)


def _check_status(status: str) -> None:
    if status not in get_args(RunStatus):
        raise ValueError(f"unknown status {status!r}; expected one of {', '.join(get_args(RunStatus))}")


def _run(row: Row[Any]) -> RunRecord:
    values = dict(row._mapping)
    values.update({name: load(values[name]) for name in _JSON})
    return RunRecord(**values)
