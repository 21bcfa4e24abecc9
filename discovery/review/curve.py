"""How good a run had become after each sample: the best so far, beside everything that was scored on the way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from db.ledger import Ledger
from db.records import EntryRecord
from discovery.baselines import best_baseline
from discovery.baselines import best_of as best_score_of
from discovery.progress import Standing
from discovery.review.columns import columns
from discovery.review.names import frozen, gate_scores, label, task_of
from discovery.review.overview import promotions
from evaluators.task import Direction


@dataclass(frozen=True)
class Scored:
    """A scored entry. ``sample`` counts from 1, seeds are at 0, a tuned child is at its parent's sample; ``score`` is
    on search."""

    sample: int
    score: float
    entry: str
    candidate: str
    operator: str
    kind: str


@dataclass(frozen=True)
class Curve:
    """Scores on search over the samples of a run, in the order in which the run took them in."""

    run: str
    task: str
    direction: Direction
    unit: str
    samples: int
    samples_total: int | None
    points: tuple[Scored, ...]
    """Everything scored, without duplicates."""
    best: tuple[Scored, ...]
    """Those that were better than all before them."""
    champions: tuple[Scored, ...]
    """Those that passed the gate, in order; the first is the best seed."""
    seeds: tuple[Standing, ...]
    baseline: Standing | None
    """The best baseline as shipped, a seed of this run or not."""

    def to_json(self) -> dict[str, object]:
        """The documented object; the points as columns."""
        return {
            "run": self.run,
            "task": self.task,
            "direction": self.direction,
            "unit": self.unit,
            "samples": self.samples,
            "samples_total": self.samples_total,
            "points": columns(Scored, self.points),
            "best": columns(Scored, self.best),
            "champions": columns(Scored, self.champions),
            "seeds": [asdict(s) for s in self.seeds],
            "baseline": asdict(self.baseline) if self.baseline else None,
        }


def curve(ledger: Ledger, run: str) -> Curve:
    """Raises LedgerError; TaskError when the run's task is not installed."""
    record = ledger.run(run)
    task, start = task_of(record), frozen(record)
    gates, passed = gate_scores(ledger, record.id), promotions(ledger, record.id)
    rows = in_order(ledger.entries(record.id))
    scored = [(e, s) for e, sample in rows if (s := _scored(e, sample)) is not None]
    best = best_baseline(task, "search")
    return Curve(
        run=record.id,
        task=record.task,
        direction=task.direction,
        unit=task.unit,
        samples=start.done(record),
        samples_total=start.samples,
        points=tuple(s for _, s in scored),
        best=_improvements([s for _, s in scored], task.direction),
        champions=tuple(s for e, s in scored if e.id in passed),
        seeds=tuple(_seed(e, start.seeds, gates) for e, _ in rows if e.kind == "seed"),
        baseline=Standing(best[0], best[1], best_score_of(task, best[0], "gate")) if best else None,
    )


def in_order(entries: Sequence[EntryRecord]) -> list[tuple[EntryRecord, int]]:
    """Entries with their sample, in the order of integration: seeds first, in a batch own entries before tuned and
    submitted ones. What was submitted counts at the last sample of the batch that took it in."""
    last: dict[int, int] = {}
    for e in entries:
        if e.kind == "own":
            last[e.batch] = max(last.get(e.batch, 0), e.k + 1)
    rank = {"seed": 0, "own": 1, "tuned": 2, "submitted": 3}
    # Seeds are numbered downwards from -1.
    ordered = sorted(entries, key=lambda e: (e.batch, rank[e.kind], -e.k if e.kind == "seed" else e.k))
    return [(e, _sample(e, last)) for e in ordered]


def _sample(e: EntryRecord, last: Mapping[int, int]) -> int:
    if e.kind == "seed":
        return 0
    return last.get(e.batch, 0) if e.kind == "submitted" else e.k + 1


def _scored(e: EntryRecord, sample: int) -> Scored | None:
    if e.score is None or e.candidate is None or e.duplicate_of is not None:
        return None
    return Scored(sample, e.score, label(e), e.candidate, e.operator, e.kind)


def _improvements(points: Sequence[Scored], direction: Direction) -> tuple[Scored, ...]:
    sign = 1 if direction == "minimize" else -1
    found: list[Scored] = []
    for point in points:
        if not found or sign * point.score < sign * found[-1].score:
            found.append(point)
    return tuple(found)


def _seed(e: EntryRecord, names: Mapping[str, str], gates: Mapping[str, float]) -> Standing:
    name = names.get(e.candidate or "") or label(e)
    return Standing(name, e.score, gates.get(e.candidate or ""))
