"""Integration of a batch: everything it changes in one transaction, keyed (run, batch)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast, get_args

from sqlalchemy import Connection, bindparam, insert, select, update

from db.engine import Store
from db.errors import LedgerUnknown
from db.models import Entry, Look, Parent, Promotion, Run, Study
from db.packing import clean, dump
from db.records import Edge, EntryKey, EntryKind, EntryOutcome, Integration, NewEntry
from db.runs import write_events

SEED_BATCH = -1
SEEDS_FROM = -2
"""S(-2) and S(-1) hold the seeds, so the first two batches have snapshots."""
_CHUNK = 16
_INSERT_ENTRY = insert(Entry.__table__)  # type: ignore[arg-type]
_INSERT_PARENT = insert(Parent.__table__)  # type: ignore[arg-type]
_OWN = (
    select(Entry.id).where(Entry.run == Study.run, Entry.k == Study.k, Entry.kind == "own").scalar_subquery()
)
_LINK_STUDIES = (
    update(Study)
    .where(
        Study.run == bindparam("_run"),
        Study.k.between(bindparam("_low"), bindparam("_high")),
        Study.entry.is_(None),
    )
    .values(entry=_OWN)
)
"""Studies begin before their entry has a row; this points those of a batch at it."""
# Lists of one length: an expanding IN is compiled anew at every call, half a millisecond each.
_SLOTS = tuple(f"_k{i}" for i in range(_CHUNK))
_LOOKUP = select(Entry.k, Entry.kind, Entry.id, Entry.depth, Entry.archived_from, Entry.archived_to).where(
    Entry.run == bindparam("_run"), Entry.k.in_([bindparam(name) for name in _SLOTS])
)
_COUNT_BATCH = (
    update(Run)
    .where(Run.id == bindparam("_run"))
    .values(batches_done=bindparam("_batch"), updated=bindparam("_now"))
)
_BATCHES_DONE = select(Run.batches_done).where(Run.id == bindparam("_run")).with_for_update()


@dataclass(frozen=True)
class _Known:
    """What a key refers to in the database."""

    id: int
    depth: int
    archived_from: int | None
    archived_to: int | None


class Integrations(Store):
    def store_seed_entries(
        self, run: str, entries: Sequence[NewEntry], champion: EntryKey | None = None
    ) -> bool:
        """Write the seeds (batch -1). Those that were scored are members of S(-2) and S(-1); ``champion``, the best
        seed, is the first promotion. False, changing nothing, when the run has its seeds."""
        if any(e.kind != "seed" for e in entries):
            raise ValueError("only entries of kind seed can be stored as seeds")
        with self.writing() as c:
            lock_run(c, run, self.where)
            if c.execute(select(Entry.id).where(Entry.run == run, Entry.kind == "seed").limit(1)).first():
                return False
            members = {e.key for e in entries if e.outcome == "scored"}
            known = _write_entries(c, run, SEED_BATCH, entries, (), members, SEEDS_FROM)
            if champion is not None:
                row = {"run": run, "batch": SEED_BATCH, "entry": _need(known, champion).id}
                c.execute(insert(Promotion), row)
        return True

    def integrate(self, run: str, batch: int, integration: Integration) -> bool:
        """Write a batch. False, changing nothing, when it was integrated before.

        Raises ValueError when a batch would be skipped, a key names no entry, an edge closes a circle, or a member
        enters or leaves twice; nothing is written then."""
        with self.writing() as c:
            done = lock_run(c, run, self.where)
            if batch <= done:
                return False
            if batch != done + 1:
                raise ValueError(f"batch {batch} of run {run} cannot follow batch {done}")
            self._integrate(c, run, batch, integration)
            now = self._clock()
            write_events(c, run, integration.events, now)
            c.execute(_COUNT_BATCH, {"_run": run, "_batch": batch, "_now": now})
        return True

    def _integrate(self, c: Connection, run: str, batch: int, new: Integration) -> None:
        own = {e.key for e in new.entries}
        entering = set(new.enter)
        if len(entering) != len(new.enter):
            raise ValueError(f"a member enters twice in batch {batch}")
        keys = (
            {e.parent for e in new.parents}
            | {e.duplicate_of for e in new.entries if e.duplicate_of is not None}
            | entering
            | {leave.key for leave in new.leave}
            | {key for look in new.looks for key in (look.entry, look.champion)}
            | {p.entry for p in new.promotions}
        )
        known = dict(_lookup(c, run, keys - own))
        known |= _write_entries(c, run, batch, new.entries, new.parents, entering & own, batch, known)
        _enter(c, batch, [_need(known, key) for key in new.enter if key not in own])
        _leave(c, batch, [(_need(known, leave.key), leave.mark) for leave in new.leave])
        looks = _write_looks(c, run, batch, new, known)
        if new.promotions:
            rows = [
                {
                    "run": run,
                    "batch": batch,
                    "entry": _need(known, p.entry).id,
                    "look": None if p.look is None else looks[p.look],
                    "gate_score": p.gate_score,
                }
                for p in new.promotions
            ]
            c.execute(insert(Promotion), rows)
        slots = [e.k for e in new.entries if e.kind == "own"]
        if slots:
            c.execute(_LINK_STUDIES, {"_run": run, "_low": min(slots), "_high": max(slots)})


def lock_run(c: Connection, run: str, where: str) -> int:
    """The last integrated batch; holds the run's row so that two processes cannot integrate at once."""
    done = c.execute(_BATCHES_DONE, {"_run": run}).scalar()
    if done is None:
        raise LedgerUnknown(f"there is no run {run!r} in {where}; `discover runs` lists them")
    return int(done)


def _need(known: Mapping[EntryKey, _Known], key: EntryKey) -> _Known:
    try:
        return known[key]
    except KeyError:
        raise ValueError(f"there is no entry ({key.k}, {key.kind}) in this run") from None


def _lookup(c: Connection, run: str, keys: Iterable[EntryKey]) -> dict[EntryKey, _Known]:
    wanted = sorted({key.k for key in keys})
    found: dict[EntryKey, _Known] = {}
    for i in range(0, len(wanted), _CHUNK):
        part = wanted[i : i + _CHUNK]
        part += part[-1:] * (_CHUNK - len(part))
        for row in c.execute(_LOOKUP, {"_run": run, **dict(zip(_SLOTS, part, strict=True))}):
            key = EntryKey(row.k, cast(EntryKind, row.kind))
            found[key] = _Known(row.id, row.depth, row.archived_from, row.archived_to)
    return found


def _write_entries(
    c: Connection,
    run: str,
    batch: int,
    entries: Sequence[NewEntry],
    edges: Sequence[Edge],
    members: set[EntryKey],
    archived_from: int,
    known: Mapping[EntryKey, _Known] | None = None,
) -> dict[EntryKey, _Known]:
    """Bulk-insert entries with their edges; returns them by key."""
    if not entries:
        if edges:
            raise ValueError(f"batch {batch} has edges but no entries")
        return {}
    depths = _depths(entries, edges, known or {})
    rows = []
    for e in entries:
        _check(e)
        rows.append(
            {
                "run": run,
                "k": e.k,
                "kind": e.kind,
                "batch": batch,
                "island": e.island,
                "operator": e.operator,
                "candidate": e.candidate,
                "outcome": e.outcome,
                "reason": clean(e.reason),
                "score": e.score,
                "m": e.m,
                "depth": depths[e.key],
                "mark": join_marks(e.marks),
                "archived_from": archived_from if e.key in members else None,
                "tuning_gain": e.tuning_gain,
            }
        )
    c.execute(_INSERT_ENTRY, rows)
    written = _lookup(c, run, depths)
    everything = {**(known or {}), **written}
    if edges:
        linked = [
            {"child": written[e.child].id, "position": e.position, "parent": _need(everything, e.parent).id}
            for e in edges
        ]
        c.execute(_INSERT_PARENT, linked)
    duplicates = [
        {"_id": written[e.key].id, "_of": _need(everything, e.duplicate_of).id}
        for e in entries
        if e.duplicate_of is not None
    ]
    if duplicates:
        table = Entry.__table__
        statement = update(table).where(table.c.id == bindparam("_id")).values(duplicate_of=bindparam("_of"))  # type: ignore[arg-type]
        c.execute(statement, duplicates)
    return written


def _check(e: NewEntry) -> None:
    """Raises ValueError for an entry that contradicts itself."""
    if e.kind not in get_args(EntryKind) or e.outcome not in get_args(EntryOutcome):
        raise ValueError(f"entry {e.k} has unknown kind {e.kind!r} or outcome {e.outcome!r}")
    if (e.outcome == "scored") != (e.score is not None):
        raise ValueError(
            f"entry ({e.k}, {e.kind}) is {e.outcome} with score {e.score}; only scored entries have one"
        )
    if e.score is not None and not math.isfinite(e.score):
        raise ValueError(f"entry ({e.k}, {e.kind}) has the score {e.score}; an invalid candidate has none")


def _depths(
    entries: Sequence[NewEntry], edges: Sequence[Edge], known: Mapping[EntryKey, _Known]
) -> dict[EntryKey, int]:
    """0 without parents, else one more than the deepest parent. Raises ValueError for a circle within the batch."""
    parents: dict[EntryKey, list[EntryKey]] = {e.key: [] for e in entries}
    if len(parents) != len(entries):
        raise ValueError("two entries of one batch have the same key")
    for edge in edges:
        if edge.child not in parents:
            raise ValueError(f"the edge to {edge.child} starts at no entry of this batch")
        parents[edge.child].append(edge.parent)
    depths: dict[EntryKey, int] = {}
    open_ = list(parents)
    while open_:
        waiting = []
        for key in open_:
            if any(p in parents and p not in depths for p in parents[key]):
                waiting.append(key)
                continue
            above = [depths[p] if p in depths else _need(known, p).depth for p in parents[key]]
            depths[key] = 1 + max(above) if above else 0
        if len(waiting) == len(open_):
            raise ValueError(f"the parents of {waiting[0]} form a circle")
        open_ = waiting
    return depths


def _enter(c: Connection, batch: int, members: Sequence[_Known]) -> None:
    """Earlier entries that join the archive now."""
    if any(m.archived_from is not None for m in members):
        raise ValueError("an entry enters the archive once; membership has one interval")
    if members:
        c.execute(update(Entry).where(Entry.id.in_([m.id for m in members])).values(archived_from=batch))


def _leave(c: Connection, batch: int, leaving: Sequence[tuple[_Known, str]]) -> None:
    ids = [member.id for member, _ in leaving]
    if not ids:
        return
    found = c.execute(
        select(Entry.id, Entry.mark, Entry.archived_from, Entry.archived_to).where(Entry.id.in_(ids))
    )
    rows = {row.id: row for row in found}
    if len(rows) != len(ids) or any(
        r.archived_from is None or r.archived_to is not None for r in rows.values()
    ):
        raise ValueError(f"only members of the archive can leave it, once (batch {batch})")
    table = Entry.__table__
    statement = (
        update(table).where(table.c.id == bindparam("_id")).values(archived_to=batch, mark=bindparam("_mark"))  # type: ignore[arg-type]
    )
    changes: list[dict[str, Any]] = [
        {"_id": member.id, "_mark": join_marks(split_marks(rows[member.id].mark) | {mark})}
        for member, mark in leaving
    ]
    c.execute(statement, changes)


def _write_looks(
    c: Connection, run: str, batch: int, new: Integration, known: Mapping[EntryKey, _Known]
) -> dict[int, int]:
    """The ids of the run's looks that this batch's promotions name, by number."""
    if new.looks:
        made = [
            {
                "run": run,
                "k": look.k,
                "batch": batch,
                "entry": _need(known, look.entry).id,
                "champion": _need(known, look.champion).id,
                "block": look.block,
                "alpha": look.alpha,
                "p_value": look.p_value,
                "effect": look.effect,
                "passed": look.passed,
                "detail": dump(look.detail),
            }
            for look in new.looks
        ]
        c.execute(insert(Look), made)
    named = [p.look for p in new.promotions if p.look is not None]
    if not named:
        return {}
    rows = c.execute(select(Look.k, Look.id).where(Look.run == run, Look.k.in_(named)))
    found = {row.k: row.id for row in rows}
    for k in named:
        if k not in found:
            raise ValueError(f"a promotion names look {k}, which run {run} has not made")
    return found


def join_marks(marks: Iterable[str]) -> str | None:
    """Marks as the column holds them: sorted, comma-separated, NULL for none."""
    return ",".join(sorted(marks)) or None


def split_marks(text: str | None) -> frozenset[str]:
    return frozenset(text.split(",")) if text else frozenset()
