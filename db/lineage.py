"""Who descends from whom. Recursion runs over ids only: with a depth in the row, every path would be a row of its
own (ten times slower); the depth is stored on the entry instead."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import cast

from sqlalchemy import Connection, bindparam, func, literal, select
from sqlalchemy.sql.selectable import Select

from db.engine import Store
from db.errors import LedgerError
from db.models import ROW_ID, Entry, Parent
from db.records import EntryId


def _closure(upwards: bool) -> Select[int]:
    start = bindparam("start", type_=ROW_ID)
    found = select(start.label("id")).cte("found", recursive=True)
    here, there = (Parent.child, Parent.parent) if upwards else (Parent.parent, Parent.child)
    found = found.union(select(there).join(found, here == found.c.id))
    return select(found.c.id).where(found.c.id != start)


_UP = _closure(upwards=True)
_DOWN = _closure(upwards=False)


def ancestors(ledger: Store, run: str, entry: EntryId) -> frozenset[EntryId]:
    """All entries that ``entry`` descends from, without itself. Raises LedgerError when the run has no such entry."""
    with _in_run(ledger, run, entry) as c:
        return frozenset(cast("Iterable[EntryId]", c.scalars(_UP, {"start": entry})))


def descendants(ledger: Store, run: str, entry: EntryId) -> frozenset[EntryId]:
    """All entries that descend from ``entry``, without itself. Raises LedgerError."""
    with _in_run(ledger, run, entry) as c:
        return frozenset(cast("Iterable[EntryId]", c.scalars(_DOWN, {"start": entry})))


def parents(ledger: Store, run: str, entry: EntryId) -> tuple[EntryId, ...]:
    """In order of position. Raises LedgerError."""
    statement = select(Parent.parent).where(Parent.child == entry).order_by(Parent.position)
    with _in_run(ledger, run, entry) as c:
        return tuple(EntryId(i) for i in c.scalars(statement))


def children(ledger: Store, run: str, entry: EntryId) -> tuple[EntryId, ...]:
    """Each child once, oldest first. Raises LedgerError."""
    statement = select(Parent.child).where(Parent.parent == entry).distinct().order_by(Parent.child)
    with _in_run(ledger, run, entry) as c:
        return tuple(EntryId(i) for i in c.scalars(statement))


def path_to_root(ledger: Store, run: str, entry: EntryId) -> tuple[EntryId, ...]:
    """The line of first parents from the root down to ``entry``, both included. Raises LedgerError."""
    line = select(literal(entry, ROW_ID).label("id")).cte("line", recursive=True)
    line = line.union(select(Parent.parent).join(line, Parent.child == line.c.id).where(Parent.position == 0))
    with _in_run(ledger, run, entry) as c:
        statement = select(Entry.id).join(line, line.c.id == Entry.id).order_by(Entry.depth)
        return tuple(EntryId(i) for i in c.scalars(statement))


def generation_counts(ledger: Store, run: str) -> dict[int, int]:
    """How many entries there are at each depth (0 has no parents)."""
    counts = select(Entry.depth, func.count().label("n")).where(Entry.run == run)
    statement = counts.group_by(Entry.depth).order_by(Entry.depth)
    with ledger.reading() as c:
        return {row.depth: row.n for row in c.execute(statement)}


@contextmanager
def _in_run(ledger: Store, run: str, entry: EntryId) -> Iterator[Connection]:
    with ledger.reading() as c:
        if c.execute(select(Entry.id).where(Entry.id == entry, Entry.run == run)).first() is None:
            raise LedgerError(f"run {run} has no entry {entry}")
        yield c
