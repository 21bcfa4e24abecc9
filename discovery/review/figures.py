"""What the report tells of measured candidates: scores, comparisons, further figures, times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from db.records import EvaluationRecord
from discovery.candidate import Candidate
from discovery.draws import key
from discovery.progress import gain
from discovery.statistics import paired_test
from evaluators.task import Split, Task, aggregate, average, mean_of

SPLITS: tuple[Split, ...] = ("search", "gate", "final")
HELD_OUT: tuple[Split, ...] = ("gate", "final")


@dataclass(frozen=True)
class Side:
    """A measured candidate. ``records`` are its evaluations by split; ``shipped`` holds scores where there is no
    evaluation. ``seconds`` is the estimate for the final split, None when it is not run there."""

    role: str
    name: str
    candidate: Candidate
    shipped: Mapping[str, float]
    records: Mapping[str, EvaluationRecord]
    seconds: float | None

    def skipped(self) -> Side:
        return replace(self, seconds=None)

    def on(self, split: str, record: EvaluationRecord) -> Side:
        return replace(self, records={**self.records, split: record})

    def whole(self, split: str) -> EvaluationRecord | None:
        """The evaluation on ``split`` if it has every score."""
        record = self.records.get(split)
        return record if record is not None and record.outcome == "scored" else None

    def score(self, task: Task, split: Split) -> float | None:
        """The score on ``split``: as measured, else as shipped."""
        record = self.whole(split)
        if record is not None:
            return aggregate(task.instances(split).instances, record.scores, mean_of(task))
        return None if split in self.records else self.shipped.get(split)

    def outcome(self, split: str) -> tuple[str, str]:
        """How the evaluation on ``split`` ended, and why."""
        record = self.records.get(split)
        if record is not None:
            return record.outcome, record.reason
        return ("shipped" if split in self.shipped else "not run"), ""


def scores(task: Task, sides: Sequence[Side]) -> list[dict[str, object]]:
    """Search, gate and final side by side."""
    return [
        {
            "role": s.role,
            "name": s.name,
            "candidate": s.candidate.hash,
            **{split: s.score(task, split) for split in SPLITS},
            "outcomes": {split: s.outcome(split)[0] for split in SPLITS},
            "reasons": {split: reason for split in SPLITS if (reason := s.outcome(split)[1])},
        }
        for s in sides
    ]


def optimism(task: Task, sides: Sequence[Side]) -> list[dict[str, object]]:
    """Gains over the best seed on search, gate and final, and by how much each shrinks from one to the next. What was
    selected on search looks better there than it is, what passed the gate a little better on the gate; against the
    seed, which was not selected, the splits' own difficulty cancels."""
    seed = next(s for s in sides if s.role == "seed")
    rows: list[dict[str, object]] = []
    for side in sides:
        if side.candidate.hash == seed.candidate.hash:
            continue
        found = [gain(task.direction, side.score(task, s), seed.score(task, s)) for s in SPLITS]
        rows.append(
            {
                "role": side.role,
                "name": side.name,
                **dict(zip(SPLITS, found, strict=True)),
                "search_minus_gate": _less(found[0], found[1]),
                "gate_minus_final": _less(found[1], found[2]),
            }
        )
    return rows


def _less(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def comparisons(task: Task, sides: Sequence[Side], seed: int) -> list[dict[str, object]]:
    """Everyone against the best seed, and the champion against baseline and control, on what the search never saw."""
    by_role = {s.role: s for s in sides}
    pairs = [(s, by_role["seed"]) for s in sides if s.role != "seed"]
    if "champion" in by_role:
        pairs += [(by_role["champion"], by_role[r]) for r in ("baseline", "control") if r in by_role]
    return [
        _comparison(task, split, a, b, seed)
        for split in HELD_OUT
        for a, b in pairs
        if a.candidate.hash != b.candidate.hash
    ]


def _comparison(task: Task, split: Split, a: Side, b: Side, seed: int) -> dict[str, object]:
    """``gain`` of A over B, relative; interval and one-sided p (H0: A is not better) where both have every score."""
    found: dict[str, object] = {
        "split": split,
        "a": a.role,
        "b": b.role,
        "gain": gain(task.direction, a.score(task, split), b.score(task, split)),
        "low": None,
        "high": None,
        "p": None,
    }
    first, second = a.whole(split), b.whole(split)
    if first is None or second is None:
        return found
    groups = [i.group for i in task.instances(split)]
    draws = key(seed, "report", split, a.candidate.hash, b.candidate.hash)
    test = paired_test(
        first.scores, second.scores, groups, task.direction, draws, margin=0.0, mean=mean_of(task)
    )
    return {**found, "gain": test.effect, "low": test.low, "high": test.high, "p": test.p}


def further(task: Task, sides: Sequence[Side]) -> list[dict[str, object]]:
    """The task's further figures for each candidate and split with every score."""
    return [
        {"split": split, "role": s.role, "figure": f.name, "value": f.value, "unit": f.unit}
        for split in SPLITS
        for s in sides
        if (record := s.whole(split)) is not None
        for f in task.figures(task.instances(split).instances, record.values)
    ]


def times(task: Task, sides: Sequence[Side]) -> list[dict[str, object]]:
    """Processor time a call by size, beside the mean score: which gap is bought with which time."""
    rows: list[dict[str, object]] = []
    for split in SPLITS:
        instances = task.instances(split)
        for size in sorted({i.size for i in instances}):
            at = [n for n, i in enumerate(instances) if i.size == size]
            for side in sides:
                record = side.whole(split)
                if record is None:
                    continue
                seconds = [record.cpu[n] for n in at]
                rows.append(
                    {
                        "split": split,
                        "size": size,
                        "instances": len(at),
                        "role": side.role,
                        "seconds": sum(seconds) / len(at),
                        "slowest": max(seconds),
                        "limit": min(instances.instances[n].limit for n in at),
                        "score": average([record.scores[n] for n in at], mean_of(task)),
                    }
                )
    return rows


def verdict(sides: Sequence[Side], compared: Sequence[Mapping[str, object]], promoted: bool) -> str:
    """The report in one sentence."""
    seed = next(s for s in sides if s.role == "seed")
    if not promoted:
        return f"no candidate passed the gate: nothing beat the best seed, {seed.name}"
    champion = next(s for s in sides if s.role == "champion")
    outcome, reason = champion.outcome("final")
    if outcome != "scored":
        return f"the champion {champion.name} has no final score: it ended as {outcome}: {reason}"
    row = next((c for c in compared if (c["split"], c["a"], c["b"]) == ("final", "champion", "seed")), None)
    if row is None or not isinstance(row["low"], float) or not isinstance(row["high"], float):
        return (
            f"the champion {champion.name} passed the gate; on final it cannot be compared with {seed.name}"
        )
    share, low, high = (100 * float(str(row[name])) for name in ("gain", "low", "high"))
    word = "better" if share >= 0 else "worse"
    return (
        f"on final the champion {champion.name} is {abs(share):.1f} % {word} than the best seed, {seed.name} "
        f"(95 % interval {low:+.1f} to {high:+.1f} %, p = {row['p']:.2g})"
    )
