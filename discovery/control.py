"""Evolution against its control: the champions of the two arms on the report blocks of the gate, which neither arm saw.

The control is the same proposer with the seeds as its only parents, tuned and gated alike. What is read here is what
both arms stored when they ended; nothing is run.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from db.ledger import Ledger
from db.records import EntryRecord, RunRecord
from discovery.draws import key
from discovery.gains import gains
from discovery.statistics import PairedResult, paired_test
from evaluators.task import Task, mean_of


@dataclass(frozen=True)
class Versus:
    """``gain`` of the run's champion over the control's on the report blocks, relative and positive when evolution is
    better, with its 95 % interval; ``p`` is one-sided for whichever is ahead (H0: it is not better). All None where
    one has no scores there. ``samples`` and ``control_samples`` are those that the arms drew."""

    verdict: str
    gain: float | None
    low: float | None
    high: float | None
    p: float | None
    samples: int
    control_samples: int
    equal_budget: bool
    gains: Mapping[str, object] | None
    """Where the champion's gain on search comes from: structure, tuning, and of that lifted literals."""
    control_gains: Mapping[str, object] | None

    def to_json(self) -> dict[str, object]:
        """The documented object."""
        return asdict(self)


def control_of(ledger: Ledger, run: str) -> RunRecord | None:
    """The control arm of a run, None when there is none."""
    return next((r for r in ledger.runs() if r.control_of == run), None)


def versus(ledger: Ledger, task: Task, run: str) -> Versus | None:
    """The comparison of a run with its control; None without a control or before both have a champion."""
    control = control_of(ledger, run)
    if control is None:
        return None
    arms = (ledger.run(run), control)
    champions = [ledger.champion(arm.id) for arm in arms]
    if champions[0] is None or champions[1] is None:
        return None
    entries = [ledger.entries(arm.id) for arm in arms]
    drawn = [sum(e.kind == "own" for e in found) for found in entries]
    test = _paired(ledger, task, arms[0], champions[0], champions[1])
    open_ = next((arm for arm in arms if arm.status != "done"), None)
    words = _sentence(champions[0], champions[1], test)
    if drawn[0] != drawn[1]:
        words += f"; the budgets are unequal: {drawn[0]} samples against {drawn[1]} of the control"
    if open_ is not None:
        words += f"; run {open_.id} is {open_.status}, so this may still change"
    return Versus(
        verdict=words,
        gain=test.effect if test else None,
        low=test.low if test else None,
        high=test.high if test else None,
        p=test.p if test else None,
        samples=drawn[0],
        control_samples=drawn[1],
        equal_budget=drawn[0] == drawn[1],
        gains=gains(ledger, arms[0].id, entries[0], task.direction),
        control_gains=gains(ledger, arms[1].id, entries[1], task.direction),
    )


def _paired(
    ledger: Ledger, task: Task, record: RunRecord, a: EntryRecord, b: EntryRecord
) -> PairedResult | None:
    """The paired test on the report blocks; its p is that of the side that is ahead."""
    blocks = task.instances("gate")
    scores = []
    for champion in (a, b):
        found = ledger.evaluation(champion.candidate or "", blocks.digest, task.version, record.isolated)
        if found is None or found.outcome != "scored":
            return None
        scores.append(found.scores)
    groups = [i.group for i in blocks]
    draws = key(record.seed, "control")
    mean = mean_of(task)
    test = paired_test(scores[0], scores[1], groups, task.direction, draws, margin=0.0, mean=mean)
    if test.effect >= 0:
        return test
    other = paired_test(scores[1], scores[0], groups, task.direction, draws, margin=0.0, mean=mean)
    return PairedResult(test.effect, other.p, test.low, test.high)


def _sentence(a: EntryRecord, b: EntryRecord, test: PairedResult | None) -> str:
    """What the comparison says, also when the control is better or nothing can be told."""
    if a.candidate == b.candidate:
        if a.kind == "seed" and b.kind == "seed":
            return "neither evolution nor its control found anything that passed the gate"
        return "evolution and its control ended with the same rule, so evolution gained nothing"
    if test is None:
        return "evolution and its control cannot be compared: a champion has no scores on the report blocks"
    figures = f"95 % interval {100 * test.low:+.1f} to {100 * test.high:+.1f} %, p = {test.p:.2g}"
    if test.low > 0:
        return f"evolution is {100 * test.effect:.1f} % better than its control ({figures})"
    if test.high < 0:
        return (
            f"the control is better: evolution is {-100 * test.effect:.1f} % worse than independent attempts "
            f"({figures})"
        )
    return f"evolution and its control cannot be told apart: {100 * test.effect:+.1f} % for evolution ({figures})"
