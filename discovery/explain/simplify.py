"""A smaller candidate that keeps the gate score: the proposed removals together, tried on instances of their own.

Removals that are harmless one by one may be harmful together, so they are put together greedily, the largest first, on
the block of the ablations; whether the whole is no worse is then asked once, on a block that nothing of this was chosen
on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from discovery.candidate import Candidate
from discovery.evaluation import Evaluated
from discovery.explain.ablation import Variant, variant
from discovery.explain.bench import Bench, Comparison, compare, flips_for
from discovery.explain.blocks import Blocks
from discovery.explain.judging import Judged


@dataclass(frozen=True)
class Simplification:
    """The combined ``variant`` beside the original on the unseen block. ``confirmed``: no worse than 0.5 % beyond
    doubt."""

    variant: Variant
    comparison: Comparison
    confirmed: bool

    def to_json(self, original: Candidate) -> dict[str, object]:
        found = self.comparison
        return {
            "candidate": self.variant.candidate.hash,
            "removed": [
                {"line": e.line, "column": e.column, "before": e.before, "after": e.after}
                for e in self.variant.edits
            ],
            "nodes_before": original.nodes,
            "nodes_after": self.variant.candidate.nodes,
            "confirmed": self.confirmed,
            "outcome": found.outcome,
            "reason": found.reason,
            "gain": found.gain,
            "low": found.low,
            "high": found.high,
            "p": found.p,
            "code": self.variant.candidate.code,
        }


def simplify(
    bench: Bench, original: Candidate, own: Evaluated, judged: Sequence[Judged], blocks: Blocks
) -> Simplification | None:
    """Combine what may be removed and test the whole. None where nothing may be removed, or when the user stopped."""
    chosen = combined(bench, original, own, judged, blocks)
    if chosen is None or bench.stop.finishing:
        return None
    block = blocks.confirmation
    before = bench.whole(original, block, "the original on the second block")
    after = bench.whole(chosen.candidate, block, "the simplified candidate on the second block")
    if before.score is None:
        failed = Comparison(before.outcome, f"the original: {before.reason}")
        return Simplification(chosen, failed, False)
    names = (original.hash, chosen.candidate.hash)
    found = compare(before, after, block, bench.task, names, flips_for(1, blocks.level))
    return Simplification(chosen, found, found.p is not None and found.p < blocks.level)


def combined(
    bench: Bench, original: Candidate, own: Evaluated, judged: Sequence[Judged], blocks: Blocks
) -> Variant | None:
    """The removals that are harmless together on the block of the ablations, the largest first."""
    removable = sorted(
        (j.variant for j in judged if j.verdict == "removable"), key=lambda v: v.candidate.nodes
    )
    chosen: Variant | None = None
    for further in removable:
        if chosen is None:
            chosen = further
            continue
        if bench.stop.finishing:
            break
        tried = variant(original, (*chosen.edits, *further.edits), bench.task.interface)
        if tried is None or tried.candidate.nodes >= chosen.candidate.nodes:
            continue  # what it would take out is gone already
        what = f"{len(tried.edits)} removals together"
        found = bench.whole(tried.candidate, blocks.ablation, what)
        names = (original.hash, tried.candidate.hash)
        flips = flips_for(1, blocks.level)
        test = compare(own, found, blocks.ablation, bench.task, names, flips)
        bench.say(f"{what}: {test.outcome if test.gain is None else f'{100 * test.gain:+.1f} %'}")
        if test.p is not None and test.p < blocks.level:
            chosen = tried
    return chosen
