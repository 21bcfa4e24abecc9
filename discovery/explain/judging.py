"""What each ablation is worth: re-scored on one block of the gate, paired with the original, corrected for their
number.

A removal is proposed only where it is no worse than 0.5 % beyond doubt (a non-inferiority test); it counts as one that
matters where it is worse beyond doubt; everything else stays open. Each of the two families of tests is corrected by
Holm's method.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from discovery.candidate import Candidate
from discovery.escape import plain
from discovery.evaluation import Evaluated
from discovery.explain.ablation import Variant
from discovery.explain.bench import Bench, Comparison, Verdict, compare, flips_for
from discovery.statistics import holm
from evaluators.task import InstanceSet

TOLD = 100
"""Characters of an ablation in a message."""


@dataclass(frozen=True)
class Judged:
    """A variant and its verdict. ``p`` and ``p_worse`` are those of its comparison, adjusted; None without scores."""

    variant: Variant
    comparison: Comparison
    p: float | None
    p_worse: float | None
    verdict: Verdict

    def to_json(self, original: Candidate) -> dict[str, object]:
        edit, found = self.variant.edits[0], self.comparison
        return {
            "kind": edit.kind,
            "line": edit.line,
            "column": edit.column,
            "before": edit.before,
            "after": edit.after,
            "nodes": original.nodes - self.variant.candidate.nodes,
            "verdict": self.verdict,
            "outcome": found.outcome,
            "reason": found.reason,
            "score": found.score,
            "gain": found.gain,
            "low": found.low,
            "high": found.high,
            "p": found.p,
            "p_adjusted": self.p,
            "p_worse": found.p_worse,
            "p_worse_adjusted": self.p_worse,
        }


def judge(
    bench: Bench,
    original: Candidate,
    own: Evaluated,
    variants: Sequence[Variant],
    block: InstanceSet,
    level: float,
) -> tuple[Judged, ...]:
    """Run the variants one after another; those not reached when the user stopped are left out."""
    flips = flips_for(2 * len(variants), level)
    done: list[tuple[Variant, Comparison]] = []
    for number, variant in enumerate(variants, 1):
        if bench.stop.finishing:
            break
        what = f"ablation {number}/{len(variants)}, {plain(variant.edits[0].what, limit=TOLD)}"
        found = bench.whole(variant.candidate, block, what)
        names = (original.hash, variant.candidate.hash)
        done.append((variant, compare(own, found, block, bench.task, names, flips)))
        bench.say(f"{what}: {_told(done[-1][1])}")
    kept = _adjusted([c.p for _, c in done])
    worse = _adjusted([c.p_worse for _, c in done])
    return tuple(
        Judged(v, c, k, w, _verdict(k, w, level)) for (v, c), k, w in zip(done, kept, worse, strict=True)
    )


def _adjusted(p_values: Sequence[float | None]) -> list[float | None]:
    """Holm's adjustment among those that there are: a variant without scores is no test."""
    places = [n for n, p in enumerate(p_values) if p is not None]
    found: list[float | None] = [None] * len(p_values)
    for n, p in zip(places, holm([p for p in p_values if p is not None]), strict=True):
        found[n] = p
    return found


def _verdict(kept: float | None, worse: float | None, level: float) -> Verdict:
    if kept is None or worse is None:
        return "fails"
    if kept < level:
        return "removable"
    return "matters" if worse < level else "open"


def _told(found: Comparison) -> str:
    return found.outcome if found.gain is None else f"{100 * found.gain:+.1f} %"
