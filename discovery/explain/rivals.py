"""The classes of instances where a candidate loses against the best baseline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from discovery.candidate import Candidate
from discovery.evaluation import Evaluated
from discovery.explain.bench import Bench
from discovery.pace import processor_time
from discovery.review.final import best_shipped
from discovery.review.paired import ClassGain, class_gains
from evaluators.task import InstanceSet, mean_of

SECONDS = 60.0
"""Estimated processor time that the baseline may take, s."""


@dataclass(frozen=True)
class Rivalry:
    """The candidate (A) beside the best baseline (B) on one set, class by class."""

    baseline: str
    set: str
    classes: tuple[ClassGain, ...]

    def to_json(self) -> dict[str, object]:
        return {
            "baseline": self.baseline,
            "set": self.set,
            "loses": sum(c.verdict == "loses" for c in self.classes),
            "wins": sum(c.verdict == "wins" for c in self.classes),
            "classes": [c.to_json() for c in self.classes],
        }


def rivalry(
    bench: Bench, candidate: Candidate, sets: Sequence[tuple[InstanceSet, Evaluated]]
) -> tuple[Rivalry | None, str]:
    """The comparison on the first of ``sets`` (with the candidate's scores there) that the best shipped baseline gets
    through in time, else None and why."""
    best = best_shipped(bench.task)
    if best is None:
        return None, "no baseline's scores ship with these options, so there is none to compare with"
    if best.candidate.hash == candidate.hash:
        return None, f"this is the best baseline itself ({best.name})"
    screen = bench.task.instances("screen")
    probe = bench.whole(best.candidate, screen, f"baseline {best.name} on the screen")
    for instances, own in sets:
        if processor_time([(screen, probe.cpu)], instances) > SECONDS:
            continue
        theirs = bench.whole(best.candidate, instances, f"baseline {best.name} on {instances.name}")
        if theirs.score is None:
            return None, f"the baseline {best.name} ended as {theirs.outcome}: {theirs.reason}"
        rows = class_gains(instances, own.scores, theirs.scores, bench.task.direction, mean_of(bench.task))
        return Rivalry(best.name, instances.name, rows), ""
    return (
        None,
        f"the best baseline ({best.name}) takes more than {SECONDS:g} s of processor time on each set",
    )
