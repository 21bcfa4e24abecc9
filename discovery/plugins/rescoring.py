"""A split measured again, and how that compares with what is claimed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from discovery.escape import plain
from discovery.evaluation import chain, joined, parts
from discovery.execution.base import Executor
from evaluators.task import InstanceSet, Task, aggregate, mean_of

RERUN: tuple[Literal["search", "gate"], ...] = ("search", "gate")
"""The splits that are measured again. The final one stays closed."""
NAMED = 5
"""Instances that are named where scores differ."""


@dataclass(frozen=True)
class Claim:
    """What is said of a heuristic on one split: the digest of its ``answers``, the ``scores`` of single instances, the
    processor time ``seconds`` that all took. None or empty where it is not known."""

    split: Literal["search", "gate"]
    score: float | None
    answers: str | None
    scores: tuple[float, ...]
    seconds: float | None


@dataclass(frozen=True)
class Rescored:
    """A split measured again. ``differ`` are instances whose scores differ, where single scores are known; ``same``
    answers are None where only scores could be compared."""

    split: str
    instances: int
    recorded: float | None
    measured: float | None
    outcome: str
    differ: tuple[str, ...]
    same_answers: bool | None
    exact: bool = True
    """Whether scores must come again. Those that are measured do not; there the answers decide."""

    @property
    def agrees(self) -> bool:
        if self.recorded is None or self.measured is None:
            return False
        if not self.exact:
            return self.same_answers is not False
        return _close(self.recorded, self.measured) and not self.differ and self.same_answers is not False

    def to_json(self) -> dict[str, object]:
        return {
            "split": self.split,
            "instances": self.instances,
            "recorded": self.recorded,
            "measured": self.measured,
            "outcome": self.outcome,
            "same_answers": self.same_answers,
            "exact": self.exact,
            "differ": list(self.differ),
            "agrees": self.agrees,
        }

    @property
    def complaint(self) -> str:
        """What does not agree, in one sentence; empty when all does."""
        if self.agrees:
            return ""
        if self.measured is None:
            return f"on {self.split} it ended as {self.outcome}"
        if self.differ:
            named = ", ".join(plain(i) for i in self.differ[:NAMED])
            return f"on {self.split} {len(self.differ)} of {self.instances} scores differ, first those of {named}"
        if self.recorded is None or (self.exact and not _close(self.recorded, self.measured)):
            return f"on {self.split} it scores {self.measured!r}; {self.recorded!r} is claimed"
        return f"on {self.split} its answers are not those recorded" + (
            f", though its score is {self.measured:.6g} again" if self.exact else ""
        )


def announced(claim: Claim, instances: InstanceSet) -> str:
    """What is about to run, and how long it took before."""
    taken = (
        f", {claim.seconds:.0f} s of processor time when it was scored" if claim.seconds is not None else ""
    )
    return f"{claim.split}: {len(instances)} instances{taken}"


def rescored(executor: Executor, task: Task, code: str, claim: Claim) -> Rescored:
    """Measure ``code`` on a split and compare."""
    instances = task.instances(claim.split)
    jobs = parts(code, instances, executor.workers)
    results = [future.result() for future in [executor.submit(job) for job in jobs]]
    result = joined(task, instances, results)
    valid = result.outcome == "scored"
    pairs: Sequence[tuple[str, float, float]] = [
        (i.id, a, b) for i, a, b in zip(instances, claim.scores, result.scores, strict=False)
    ]
    return Rescored(
        split=claim.split,
        instances=len(instances),
        recorded=claim.score,
        measured=aggregate(instances.instances, result.scores, mean_of(task)) if valid else None,
        outcome=result.outcome if valid else plain(f"{result.outcome}: {result.reason}", limit=200),
        differ=() if task.measured else tuple(name for name, a, b in pairs if not _close(a, b)),
        same_answers=chain("", result.answers) == claim.answers if valid and claim.answers else None,
        exact=not task.measured,
    )


def complaints(found: Sequence[Rescored]) -> list[str]:
    """One sentence for each split that does not agree."""
    return [f.complaint for f in found if not f.agrees]


def _close(a: float, b: float) -> bool:
    return math.isclose(a, b, rel_tol=1e-9, abs_tol=1e-12)
