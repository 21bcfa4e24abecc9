"""Who descends from whom.

A recursive query finds ancestors one by one, 1.5 µs each: best for few. Where there are more, and for descendants, of
which one entry can have very many at once, the run's edges are handed over as two texts in one scan and followed here
in the order of ids, which is four times faster. Recursion runs over ids only: with a depth in the row, every path would
be a row of its own (ten times slower); the depth is stored on the entry instead.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, cast

from sqlalchemy import Connection, String, bindparam, exists, func, literal, select
from sqlalchemy import cast as as_type

from db.engine import Store
from db.errors import LedgerUnknown
from db.integration import SEED_BATCH
from db.models import ROW_ID, Entry, Parent
from db.records import EntryId

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ids = NDArray[np.int64]

FEW = 2_000
"""Ancestors that the recursive query may find before the edges are scanned instead; in a large run more, see SHARE."""
SHARE = 10
"""One ancestor takes as long as scanning so many entries' edges."""
_PIECE = 4_096
_PASSES = 6
_NEWEST = 2**31 - 1

_start = bindparam("start", type_=ROW_ID)
_found = select(_start.label("id")).cte("found", recursive=True)
_found = _found.union(select(Parent.parent).join(_found, Parent.child == _found.c.id))
# Without an order, so that the recursion ends at the limit.
_UP = select(_found.c.id).where(_found.c.id != _start).limit(bindparam("few"))
_HAS_CHILDREN = select(exists().where(Parent.parent == _start))
_EDGES = select(
    func.aggregate_strings(as_type(Parent.child, String), " "),
    func.aggregate_strings(as_type(Parent.parent, String), " "),
).where(Parent.child.between(bindparam("low", type_=ROW_ID), bindparam("high", type_=ROW_ID)))
_RUN = Entry.run == bindparam("run")
_FIRST = select(Entry.id).where(_RUN, Entry.batch >= bindparam("batch")).order_by(Entry.batch, Entry.id)
_LAST = (
    select(Entry.id)
    .where(_RUN, Entry.batch <= bindparam("batch"))
    .order_by(Entry.batch.desc(), Entry.id.desc())
)


def ancestors(ledger: Store, run: str, entry: EntryId) -> frozenset[EntryId]:
    """All entries that ``entry`` descends from, without itself. Raises LedgerError when the run has no such entry."""
    with _in_run(ledger, run, entry) as c:
        # An edge never leaves its run, and ids grow from batch to batch.
        first = c.execute(_FIRST.limit(1), {"run": run, "batch": SEED_BATCH}).scalar_one()
        last = c.execute(_LAST.limit(1), {"run": run, "batch": _batch_of(c, entry)}).scalar_one()
        most = max(FEW, (last - first) // SHARE)
        few = c.scalars(_UP, {"start": entry, "few": most + 1}).all()
        if len(few) <= most:
            return frozenset(cast("Iterable[EntryId]", few))
        children, above = _edges(c, first, last)
    return _reached(above[::-1], children[::-1], entry, first, last)


def descendants(ledger: Store, run: str, entry: EntryId) -> frozenset[EntryId]:
    """All entries that descend from ``entry``, without itself. Raises LedgerError."""
    with _in_run(ledger, run, entry) as c:
        if not c.scalar(_HAS_CHILDREN, {"start": entry}):
            return frozenset()
        first = c.execute(_FIRST.limit(1), {"run": run, "batch": _batch_of(c, entry)}).scalar_one()
        last = c.execute(_LAST.limit(1), {"run": run, "batch": _NEWEST}).scalar_one()
        children, above = _edges(c, first, last)
    return _reached(children, above, entry, first, last)


def _batch_of(c: Connection, entry: EntryId) -> int:
    return int(c.execute(select(Entry.batch).where(Entry.id == entry)).scalar_one())


def _edges(c: Connection, first: int, last: int) -> tuple[Ids, Ids]:
    """Child and parent of every edge whose child lies in ``first`` to ``last``, in order of the child."""
    import numpy as np

    texts = c.execute(_EDGES, {"low": first, "high": last}).one()
    children, above = (np.fromstring(text or "", dtype=np.int64, sep=" ") for text in texts)
    if (children[1:] < children[:-1]).any():  # the order of an aggregate is the database's own affair
        order = np.argsort(children, kind="stable")
        children, above = children[order], above[order]
    return children, above


def _reached(to: Ids, origin: Ids, start: int, first: int, last: int) -> frozenset[EntryId]:
    """What can be reached from ``start`` over edges from ``origin`` to ``to``, without itself.

    The edges are in such an order that one which leads on comes later, but for those within a batch, so they are
    followed piece by piece, each until it gives nothing new; a long chain within a piece is followed edge by edge."""
    import numpy as np

    inside = (origin >= first) & (origin <= last)
    to, origin = to[inside] - first, origin[inside] - first
    flags = bytearray(last - first + 1)
    flags[start - first] = True
    seen = np.frombuffer(flags, dtype=np.bool_)
    count = 0
    while count < (now := int(np.count_nonzero(seen))):  # once more, for ids that fall along an edge
        count = now
        for a in range(0, len(to), _PIECE):
            _follow(flags, seen, to[a : a + _PIECE], origin[a : a + _PIECE])
    flags[start - first] = False
    return frozenset(cast("Iterable[EntryId]", (np.flatnonzero(seen) + first).tolist()))


def _follow(flags: bytearray, seen: NDArray[np.bool_], to: Ids, origin: Ids) -> None:
    """Follow one piece; ``flags`` and ``seen`` are the same memory."""
    for _ in range(_PASSES):
        found = to[seen[origin]]
        if seen[found].all():
            return
        seen[found] = True
    for here, there in zip(origin.tolist(), to.tolist(), strict=True):
        if flags[here]:
            flags[there] = True


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
            raise LedgerUnknown(f"run {run} has no entry {entry}")
        yield c
