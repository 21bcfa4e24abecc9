# ruff: noqa: B023
"""How fast the ledger is: 100,000 candidates written batch by batch as a run writes them, then the queries.

    python benchmarks/ledger.py [--candidates 100000] [--folder DIR] [--db postgresql://HOST/EMPTY]
    python benchmarks/ledger.py --candidates 1000000 --measured 10000

Parents come from an archive of 40 that slowly turns over. With ``--measured`` only so many candidates at the beginning
and as many at the end are written as a run does; those between have the same rows, many to a transaction. Processor
time is what a row costs us (of the server of PostgreSQL nothing is counted); the wall time adds the disk and other
jobs. At the end the schema is taken back to its first revision and upgraded again, which times the migrations; on
SQLite the last line gives a bare sqlite3 transaction on the same machine to compare with.
"""

from __future__ import annotations

import argparse
import random
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import filling
from sqlalchemy import bindparam, text, update

from db import engine as engines
from db import lineage
from db.ledger import Ledger
from db.migrations import REVISIONS, VERSION_TABLE
from db.models import Entry
from db.records import (
    Edge,
    EntryId,
    EntryKey,
    EvaluationRecord,
    Integration,
    Leave,
    NewEntry,
    RunRecord,
)
from db.upgrade import upgrade

RUN, CHAIN, STAR = "r-bench", "r-chain", "r-star"
BATCH = 8
ISLANDS = 4
MEMBERS = 10
INSTANCES = 120
EXTREME = 100_000
ADDED = (("proposal", "arm"), ("proposal", "temperature"), ("evaluation", "lines"))
"""Columns that later revisions added."""
NEW = ("lease",)
"""Tables that they added."""
LONG = 2.0
"""Seconds after which a query is not asked again."""
CODE = '''
import numpy as np

SEARCH_SPACE = {"k": {"low": 0.25, "high": 8.0, "log": True}}


def order(processing_times, due_dates, *, k=2.0):
    """Apparent tardiness cost with weight %d."""
    p = np.asarray(processing_times)
    d = np.asarray(due_dates)
    time, left, sequence = 0, list(range(len(p))), []
    while left:
        slack = [max(0.0, d[j] - p[j] - time) for j in left]
        best = max(range(len(left)), key=lambda i: np.exp(-slack[i] / (k * p.mean())) / p[left[i]])
        sequence.append(left.pop(best))
        time += p[sequence[-1]]
    return sequence
'''


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--candidates", type=int, default=100_000)
    parser.add_argument("--measured", type=int)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--db", help="an empty database of PostgreSQL, which is empty again afterwards")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        where = options.db or str(Path(folder) / "ledger.sqlite")
        if options.db:
            upgrade(where)
        with Ledger.open(where) as ledger:
            members = _write(ledger, options.candidates, options.measured or options.candidates)
            _report_size(ledger, options.candidates)
            _queries(ledger, members, options.candidates)
        _migrate(where)
        if options.db:
            _empty(where)
        else:
            _bare(Path(folder) / "bare.sqlite")


def _write(ledger: Ledger, count: int, measured: int) -> list[EntryKey]:
    """The run; returns the archive at the end. Prints what each kind of row costs."""
    spent: dict[str, list[float]] = {}
    draw = random.Random(0)
    ledger.create_run(RunRecord(RUN, "smtt", {}, {}, 0, "1", {}, {}, True, {}))
    ledger.put_candidate(f"{0:064x}", CODE % 0, 90)
    seed = NewEntry(0, "seed", "create", "scored", f"{0:064x}", score=1.0, m=INSTANCES)
    ledger.store_seed_entries(RUN, [seed], seed.key)
    islands: list[list[EntryKey]] = [[seed.key] for _ in range(ISLANDS)]
    batches, at_an_end = count // BATCH, measured // BATCH
    between = range(at_an_end, batches - at_an_end)
    start = time.perf_counter()
    for g in range(batches):
        if g in between:
            if g == between[0]:
                _between(ledger, between, draw, islands)
            continue
        slots = range(g * BATCH, (g + 1) * BATCH)
        texts = {k: CODE % draw.randrange(2**60) for k in slots}
        _timed(
            spent,
            "put_candidate",
            BATCH,
            lambda: [ledger.put_candidate(f"{k:064x}", texts[k], 90) for k in slots if k],
        )
        _timed(spent, "record_reply", BATCH, lambda: [_reply(ledger, g, k, texts[k]) for k in slots])
        _timed(spent, "store_evaluation", BATCH, lambda: [_evaluate(ledger, k, draw.random()) for k in slots])
        batch = _batch(draw, islands, slots)
        _timed(spent, "integrate", BATCH, lambda: ledger.integrate(RUN, g, batch))
    print(f"{count:,} candidates written in {time.perf_counter() - start:.0f} s")
    print(f"{'row':<18}{'cpu ms':>9}{'wall ms':>9}   last tenth / first tenth (wall)")
    for name, times in spent.items():
        cpu, wall = statistics.fmean(times[::2]), statistics.fmean(times[1::2])
        tenth = max(1, len(times) // 20)
        growth = statistics.fmean(times[1::2][-tenth:]) / statistics.fmean(times[1::2][:tenth])
        print(f"{name:<18}{cpu:>9.3f}{wall:>9.3f}   {growth:.2f}")
    total = sum(statistics.fmean(times[1::2]) for times in spent.values())
    print(f"a candidate takes {total:.2f} ms of wall time: {1e3 / total:,.0f} candidates a second")
    return sorted({key for island in islands for key in island})


def _between(ledger: Ledger, batches: range, draw: random.Random, islands: list[list[EntryKey]]) -> None:
    """Write these batches at once, piece by piece."""
    start, first = time.perf_counter(), filling.next_id(ledger) - batches[0] * BATCH
    like = filling.evaluation_of(ledger, f"{1:064x}")
    old = {e.key: e.id for e in ledger.entries(RUN)}
    step = filling.PIECE // BATCH
    for low in range(batches.start, batches.stop, step):
        slots, left = [], []
        for g in range(low, min(low + step, batches.stop)):
            batch = _batch(draw, islands, range(g * BATCH, (g + 1) * BATCH))
            above: dict[EntryKey, list[int]] = {}
            for edge in batch.parents:
                above.setdefault(edge.child, []).append(old.get(edge.parent, first + edge.parent.k))
            for e in batch.entries:
                code, mean = CODE % draw.randrange(2**60), draw.random()
                scores = tuple(mean + i / INSTANCES for i in range(INSTANCES))
                member = e.key in batch.enter
                parents = tuple(above[e.key])
                slots.append(filling.Filled(first + e.k, e.k, g, code, scores, parents, ISLANDS, member))
            left += [{"_id": old.get(x.key, first + x.key.k), "_batch": g} for x in batch.leave]
        with ledger.writing() as c:
            filling.write(c, RUN, slots, like)
            table = Entry.__table__
            statement = update(table).where(table.c.id == bindparam("_id"))  # type: ignore[arg-type]
            if left:
                c.execute(statement.values(archived_to=bindparam("_batch")), left)
    filling.integrated(ledger, RUN, batches[-1])
    seconds = time.perf_counter() - start
    print(f"{len(batches) * BATCH:,} candidates in between at {len(batches) * BATCH / seconds:,.0f} a second")


def _timed(spent: dict[str, list[float]], name: str, rows: int, work: Callable[[], object]) -> None:
    """Append (cpu, wall) milliseconds a row."""
    cpu, wall = time.process_time(), time.perf_counter()
    work()
    spent.setdefault(name, []).extend(
        (1e3 * (time.process_time() - cpu) / rows, 1e3 * (time.perf_counter() - wall) / rows)
    )


def _reply(ledger: Ledger, g: int, k: int, text: str) -> None:
    ledger.record_reply(
        RUN, k, 0, batch=g, operator="improve", proposer="genetic", seed=k, state="replied", text=text
    )


def _evaluate(ledger: Ledger, k: int, mean: float) -> None:
    scores = tuple(mean + i / INSTANCES for i in range(INSTANCES))
    record = EvaluationRecord(
        f"{k:064x}", "set", "search", INSTANCES, "1", True, "scored", scores, scores, scores, "digest"
    )
    ledger.store_evaluation(record)


def _batch(draw: random.Random, islands: list[list[EntryKey]], slots: range) -> Integration:
    """Two parents from the slot's island; one child in 30 replaces its oldest member (more while it fills up)."""
    entries, edges, enter, leave = [], [], [], []
    before = [list(island) for island in islands]
    for k in slots:
        entry = NewEntry(
            k, "own", "combine", "scored", f"{k:064x}", k % ISLANDS, score=draw.random(), m=INSTANCES
        )
        entries.append(entry)
        island = islands[k % ISLANDS]
        for position in range(2):
            edges.append(Edge(entry.key, draw.choice(before[k % ISLANDS]), position))
        if len(island) < MEMBERS or draw.random() < 1 / 30:
            if len(island) >= MEMBERS:
                oldest = island.pop(0)
                leave += [Leave(oldest)] * all(oldest not in other for other in islands)
            island.append(entry.key)
            enter.append(entry.key)
    return Integration(tuple(entries), tuple(edges), tuple(enter), tuple(leave))


def _report_size(ledger: Ledger, count: int) -> None:
    if ledger.where.startswith("postgresql"):
        with ledger.reading() as c:
            total = int(c.execute(text("SELECT pg_database_size(current_database())")).scalar_one())
    else:
        total = sum(p.stat().st_size for p in Path(ledger.where).parent.iterdir())
    print(
        f"size {total / 1e6:.0f} MB, {total / count:.0f} bytes a candidate ({INSTANCES} scores, values and times)"
    )


def _queries(ledger: Ledger, members: list[EntryKey], count: int) -> None:
    newest = ledger.entry(RUN, *members[-1])
    seed = ledger.entry(RUN, 0, "seed")
    middle = ledger.entry(RUN, count // 2, "own")
    assert newest is not None and seed is not None and middle is not None
    last = ledger.run(RUN).batches_done
    chain = _extreme(ledger, CHAIN, min(count, EXTREME))
    star = _extreme(ledger, STAR, min(count, EXTREME))[0]
    cases: list[tuple[str, Callable[[], object]]] = [
        ("ancestors of the newest member", lambda: lineage.ancestors(ledger, RUN, newest.id)),
        ("ancestors of a middle entry", lambda: lineage.ancestors(ledger, RUN, middle.id)),
        ("descendants of a middle entry", lambda: lineage.descendants(ledger, RUN, middle.id)),
        ("descendants of an early member", lambda: lineage.descendants(ledger, RUN, _early(ledger))),
        ("descendants of the seed (all)", lambda: lineage.descendants(ledger, RUN, seed.id)),
        ("ancestors at the end of a chain", lambda: lineage.ancestors(ledger, CHAIN, chain[-1])),
        ("descendants of a chain's first", lambda: lineage.descendants(ledger, CHAIN, chain[0])),
        ("descendants, children of one seed", lambda: lineage.descendants(ledger, STAR, star)),
        ("path_to_root", lambda: lineage.path_to_root(ledger, RUN, newest.id)),
        ("children of the seed", lambda: lineage.children(ledger, RUN, seed.id)),
        ("generation_counts", lambda: lineage.generation_counts(ledger, RUN)),
        ("champion", lambda: [ledger.champion(RUN)]),
        ("snapshot, last", lambda: ledger.snapshot(RUN, last)),
        ("snapshot, middle", lambda: ledger.snapshot(RUN, last // 2)),
        ("entry by hash", lambda: [ledger.entry_by_hash(RUN, f"{count // 3:064x}")]),
        ("entries of a batch", lambda: ledger.entries(RUN, last // 2)),
        ("all entries", lambda: ledger.entries(RUN)),
        ("spent", lambda: [ledger.spent(RUN)]),
        ("digest", lambda: [ledger.digest(RUN)]),
    ]
    print(f"{'query':<34}{'rows':>8}{'cpu ms':>9}{'wall ms':>9}{'cpu us a row':>14}")
    for name, query in cases:
        cpu, wall = [], []
        while len(cpu) < 5 and sum(wall) < 1e3 * LONG:
            start, clock = time.process_time(), time.perf_counter()
            found = query()
            cpu.append(1e3 * (time.process_time() - start))
            wall.append(1e3 * (time.perf_counter() - clock))
        rows = len(found)  # type: ignore[arg-type]
        median = statistics.median(cpu)
        print(
            f"{name:<34}{rows:>8}{median:>9.2f}{statistics.median(wall):>9.2f}{1e3 * median / max(rows, 1):>14.2f}"
        )


def _extreme(ledger: Ledger, run: str, count: int) -> list[EntryId]:
    """A run in which every candidate has one parent: the one before it (CHAIN) or the seed (STAR). Its ids in order."""
    ledger.create_run(RunRecord(run, "smtt", {}, {}, 0, "1", {}, {}, True, {}))
    seed = NewEntry(0, "seed", "create", "scored", f"{0:064x}", score=1.0, m=INSTANCES)
    ledger.store_seed_entries(run, [seed], seed.key)
    size = 500
    for g in range(count // size):
        entries = tuple(NewEntry(k, "own", "improve", "lost") for k in range(g * size, (g + 1) * size))
        before = [seed.key if e.k == 0 or run == STAR else EntryKey(e.k - 1, "own") for e in entries]
        edges = tuple(Edge(e.key, parent, 0) for e, parent in zip(entries, before, strict=True))
        ledger.integrate(run, g, Integration(entries, edges))
    return sorted(e.id for e in ledger.entries(run))


def _early(ledger: Ledger) -> EntryId:
    """The entry with the most descendants but for the seed: the first member of an island."""
    entry = ledger.entry(RUN, 1, "own")
    assert entry is not None
    return entry.id


def _migrate(where: str) -> None:
    """Time each migration but the first one on the database as it is: taken back by hand, then upgraded."""
    engine = engines.connect(engines.address(where))
    with engine.begin() as c:
        for table, column in ADDED:
            c.execute(text(f"ALTER TABLE {table} DROP COLUMN {column}"))
        for table in NEW:
            c.execute(text(f"DROP TABLE {table}"))
        c.execute(text(f"UPDATE {VERSION_TABLE} SET version_num = '{REVISIONS[0]}'"))
    engine.dispose()
    for target in REVISIONS[1:]:
        start = time.perf_counter()
        upgrade(where, target)
        print(f"migration to {target}: {time.perf_counter() - start:.2f} s")


def _empty(where: str) -> None:
    engine = engines.connect(engines.address(where))
    with engine.begin() as c:
        c.execute(text("DROP SCHEMA public CASCADE"))
        c.execute(text("CREATE SCHEMA public"))
    engine.dispose()


def _bare(path: Path, rows: int = 2000) -> None:
    """What the disk and sqlite3 alone need for one row in one transaction, with the same settings."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode=WAL")
    connection.execute("PRAGMA synchronous=FULL")
    connection.execute("CREATE TABLE t (a INTEGER PRIMARY KEY, b BLOB)")
    cpu, wall = time.process_time(), time.perf_counter()
    for i in range(rows):
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("INSERT INTO t VALUES (?, ?)", (i, b"x" * 500))
        connection.execute("COMMIT")
    print(
        f"bare sqlite3 transaction of one row: cpu {1e3 * (time.process_time() - cpu) / rows:.3f} ms, "
        f"wall {1e3 * (time.perf_counter() - wall) / rows:.3f} ms"
    )


if __name__ == "__main__":
    main()
