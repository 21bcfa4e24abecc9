"""Who is best at a task: the champions of all its runs beside its baselines, on instances that no run looked at."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Literal

from db.ledger import Ledger
from db.records import RunRecord
from discovery.baselines import best_of
from discovery.review.names import frozen, gate_scores, short, task_of
from evaluators.task import Direction, Task

Kind = Literal["champion", "baseline", "reference"]


@dataclass(frozen=True)
class Ranked:
    """A line. ``rank`` goes by ``gate``, the score on the report blocks; reference policies, which may know more than a
    candidate, and what has no score there have none. ``proposer`` and ``run`` are those that found a champion first."""

    rank: int | None
    name: str
    kind: Kind
    gate: float | None
    search: float | None
    candidate: str | None = None
    run: str | None = None
    proposer: str | None = None
    isolated: bool = True
    source: str = ""


@dataclass(frozen=True)
class Leaderboard:
    """What can be compared: one task with one set of options and one version of its evaluator."""

    task: str
    options: Mapping[str, object]
    evaluator_version: str
    direction: Direction
    unit: str
    rows: tuple[Ranked, ...]

    def to_json(self) -> dict[str, object]:
        """The documented object."""
        return {**asdict(self), "rows": [asdict(r) for r in self.rows]}


def leaderboards(ledger: Ledger, task: str | None = None) -> tuple[Leaderboard, ...]:
    """One for each task, options and evaluator version that has runs, the latest run's first. With ``task`` only its
    own. Raises TaskError when a task is not installed."""
    groups: dict[tuple[str, str, str], list[RunRecord]] = {}
    for record in reversed(ledger.runs()):
        if task in (None, record.task):
            options = repr(sorted(record.options.items()))
            groups.setdefault((record.task, options, record.evaluator_version), []).append(record)
    return tuple(_board(ledger, records) for records in groups.values())


def _board(ledger: Ledger, records: Sequence[RunRecord]) -> Leaderboard:
    task, version = task_of(records[0]), records[0].evaluator_version
    # Shipped scores are those of the installed evaluator; beside runs of another one they would mislead.
    rows = [*_champions(ledger, reversed(records)), *(_baselines(task) if task.version == version else ())]
    return Leaderboard(
        task.name,
        dict(records[0].options),
        version,
        task.direction,
        task.unit,
        tuple(_ranked(rows, task.direction)),
    )


def _champions(ledger: Ledger, records: Iterable[RunRecord]) -> list[Ranked]:
    """The promoted champion of each run; of equal ones the earliest run's."""
    found: dict[str, Ranked] = {}
    for record in records:
        champion = ledger.champion(record.id)
        if champion is None or champion.kind == "seed" or champion.candidate is None:
            continue
        row = Ranked(
            rank=None,
            name=short(champion.candidate) or "",
            kind="champion",
            gate=gate_scores(ledger, record.id).get(champion.candidate),
            search=champion.score,
            candidate=champion.candidate,
            run=record.id,
            proposer=frozen(record).proposer,
            isolated=record.isolated,
        )
        found.setdefault(champion.candidate, row)
    return list(found.values())


def _baselines(task: Task) -> list[Ranked]:
    return [
        Ranked(
            None, name, b.kind, best_of(task, name, "gate"), best_of(task, name, "search"), source=b.source
        )
        for name, b in task.baselines().items()
        if name in task.shipped_scores()
    ]


def _ranked(rows: Iterable[Ranked], direction: Direction) -> list[Ranked]:
    """The best first; equal scores share a rank."""
    sign = 1 if direction == "minimize" else -1

    def order(row: Ranked) -> tuple[bool, float, bool, float, str]:
        gate, search = row.gate, row.search
        return gate is None, sign * (gate or 0.0), search is None, sign * (search or 0.0), row.name

    found: list[Ranked] = []
    count, rank, last = 0, 0, None
    for row in sorted(rows, key=order):
        if row.gate is None or row.kind == "reference":
            found.append(row)
            continue
        count += 1
        rank = rank if row.gate == last else count
        last = row.gate
        found.append(Ranked(**{**asdict(row), "rank": rank}))
    return found
