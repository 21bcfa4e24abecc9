"""Where variants are measured: the one pipeline of evaluation, over a ledger of its own in memory.

Nothing that runs here enters the user's ledger, so no run can ever take a variant, its scores or a clock's verdict on
it into account.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from db.ledger import Ledger
from discovery.candidate import Candidate
from discovery.config import cores
from discovery.draws import key
from discovery.evaluation import Evaluated, Evaluation
from discovery.execution.make import make_executor
from discovery.pace import Paced
from discovery.progress import StopSignal
from discovery.statistics import MARGIN, paired_test
from evaluators.task import InstanceSet, Task, mean_of

Verdict = Literal["removable", "matters", "open", "fails"]
Say = Callable[[str], None]
FLIPS = 9_999
"""Sign flips of a test at least; more where many tests share a small level."""
FINENESS = 5
"""The smallest p that the flips can give lies so many times below the strictest level."""


@dataclass(frozen=True)
class Bench:
    """A task, its evaluation, and how to tell the user. ``stop`` is looked at between evaluations."""

    task: Task
    evaluation: Evaluation
    paced: Paced
    say: Say
    stop: StopSignal

    @property
    def isolated(self) -> bool:
        return self.paced.isolated

    def whole(self, candidate: Candidate, instances: InstanceSet, what: str) -> Evaluated:
        """A candidate on a set, at once on all cores."""
        self.paced.begin(what, len(instances))
        return self.evaluation.whole(candidate, instances)


@contextmanager
def bench(task: Task, *, unsafe: bool, say: Say, stop: StopSignal) -> Iterator[Bench]:
    """Raises SandboxUnavailable when this machine cannot isolate and ``unsafe`` is not set."""
    executor = make_executor(task, "local", cores(), unsafe=unsafe)
    try:
        paced = Paced(executor, say)
        with Ledger.open("sqlite://") as memory:
            yield Bench(task, Evaluation(task, paced, memory), paced, say, stop)
    finally:
        executor.close()


@dataclass(frozen=True)
class Comparison:
    """A changed candidate beside the original on one block. ``gain`` is relative with its 95 % interval, positive when
    the change is better. ``p``: one-sided, H0 "worse by 0.5 % or more". ``p_worse``: H0 "not worse". All None without
    scores."""

    outcome: str
    reason: str
    score: float | None = None
    gain: float | None = None
    low: float | None = None
    high: float | None = None
    p: float | None = None
    p_worse: float | None = None


def compare(
    original: Evaluated,
    changed: Evaluated,
    instances: InstanceSet,
    task: Task,
    names: tuple[str, str],
    flips: int,
) -> Comparison:
    """The two paired tests of a change; ``names`` (the hashes) seed them. Where scores are measured, equal answers
    count as equal scores."""
    if changed.score is None:
        return Comparison(changed.outcome, changed.reason)
    if task.measured and changed.behaviour == original.behaviour:
        # The scores differ by chance alone. As where scores are equal, it is no worse by any margin.
        return Comparison("scored", "", original.score, 0.0, 0.0, 0.0, 1 / (1 + flips), 1.0)
    groups, mean = [i.group for i in instances], mean_of(task)
    seed = key(*names, instances.digest, "explain")
    kept = paired_test(
        changed.scores, original.scores, groups, task.direction, seed, margin=-MARGIN, flips=flips, mean=mean
    )
    worse = paired_test(
        original.scores, changed.scores, groups, task.direction, seed, margin=0.0, flips=flips, mean=mean
    )
    # Equal scores that are all 0 leave nothing to flip, and are no worse by any margin.
    p = 1 / (1 + flips) if changed.scores == original.scores else kept.p
    return Comparison("scored", "", changed.score, kept.effect, kept.low, kept.high, p, worse.p)


def flips_for(tests: int, level: float) -> int:
    """Flips with which the smallest p, times the number of tests, is well below the level."""
    return max(FLIPS, int(FINENESS * tests / level))
