"""What a better score costs in processor time: a run's candidates, and those that nothing beats in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from db.costs import Cost, costs
from db.ledger import Ledger
from discovery.review.columns import columns
from discovery.review.measured import Measured, measured_baselines
from discovery.review.names import frozen, label, task_of
from evaluators.task import Direction


@dataclass(frozen=True)
class Priced:
    """A candidate or baseline by score on search and mean processor time of a call there, s. ``nodes`` is the size of
    its syntax tree, None where only the ledger of another run held it; ``front`` says that nothing is at least as good
    in both and better in one. ``kind`` is an entry's, or ``baseline`` for one that is no entry of this run."""

    name: str
    candidate: str
    kind: str
    score: float
    seconds: float
    slowest: float
    nodes: int | None
    front: bool = False


@dataclass(frozen=True)
class Pareto:
    """Times are measured on whatever machine ran the candidate; they decide nothing in a run."""

    run: str
    direction: Direction
    unit: str
    points: tuple[Priced, ...]
    """The fastest first."""

    def to_json(self) -> dict[str, object]:
        """The documented object; the points as columns."""
        return {
            "run": self.run,
            "direction": self.direction,
            "unit": self.unit,
            "points": columns(Priced, self.points),
        }


def pareto(ledger: Ledger, run: str) -> Pareto:
    """Raises LedgerError; TaskError when the run's task is not installed."""
    record = ledger.run(run)
    task, names = task_of(record), frozen(record).seeds
    digest = task.instances("search").digest
    cost = costs(ledger, record.id, digest, record.evaluator_version, record.isolated)
    points = [
        _priced(names.get(e.candidate) or label(e), e.candidate, e.kind, e.score, cost[e.candidate])
        for e in ledger.entries(record.id)
        if e.candidate in cost and e.candidate is not None and e.score is not None and e.duplicate_of is None
    ]
    points += [_baseline(m) for m in measured_baselines(ledger, task, record) if m.candidate not in cost]
    return Pareto(record.id, task.direction, task.unit, _fronted(points, task.direction))


def _priced(name: str, candidate: str, kind: str, score: float, cost: Cost) -> Priced:
    return Priced(name, candidate, kind, score, cost.seconds, cost.slowest, cost.nodes)


def _baseline(m: Measured) -> Priced:
    seconds = m.record.cpu
    return Priced(m.name, m.candidate, "baseline", m.score, sum(seconds) / len(seconds), max(seconds), None)


def _fronted(points: Sequence[Priced], direction: Direction) -> tuple[Priced, ...]:
    """The points in order of time with their front marked; of equals in both all are on it."""
    sign = 1 if direction == "minimize" else -1
    ordered = sorted(points, key=lambda p: (p.seconds, sign * p.score, p.name))
    found: list[Priced] = []
    best: Priced | None = None
    for point in ordered:
        better = best is None or sign * point.score < sign * best.score
        equal = best is not None and (point.score, point.seconds) == (best.score, best.seconds)
        if better:
            best = point
        found.append(replace(point, front=better or equal))
    return tuple(found)
