"""What a run decided, computed again from its stored scores: entries, looks at the gate, promotions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from db.ledger import Ledger
from db.records import EntryId, EntryRecord, EvaluationRecord, LookRecord, RunRecord
from discovery.gate import block_order, paired_look
from discovery.review.names import gate_scores, label
from discovery.statistics import PairedResult, alpha
from evaluators.task import InstanceSet, Task, aggregate, mean_of

Find = Callable[[str, InstanceSet], EvaluationRecord | None]
"""The stored evaluation of a candidate on a set."""


def entries_differ(task: Task, entries: dict[EntryId, EntryRecord], find: Find) -> Iterator[str]:
    """Scored entries whose score is not that of their evaluation on the search split."""
    split = task.instances("search")
    for entry in entries.values():
        if entry.outcome != "scored" or entry.candidate is None:
            continue
        record = find(entry.candidate, split)
        if record is None or record.m != len(split):
            yield f"entry {label(entry)} has a score, its evaluation on the search split is not there"
        elif record.outcome != "scored":
            yield f"entry {label(entry)} has a score, its evaluation on the search split is {record.outcome}"
        elif not _same(entry.score, score := aggregate(split.instances, record.scores, mean_of(task))):
            yield f"entry {label(entry)} has the score {entry.score!r}, its evaluation gives {score!r}"


def looks_differ(
    task: Task, run: RunRecord, looks: tuple[LookRecord, ...], entries: dict[EntryId, EntryRecord], find: Find
) -> Iterator[str]:
    """Looks whose block, level, p-value, effect or verdict is not what their stored scores give."""
    order = block_order(run.seed, task.gate_blocks)
    for look in looks:
        name = f"look {look.k}"
        if look.block != order[(look.k - 1) % len(order)] or not _same(look.alpha, alpha(look.k)):
            yield f"{name} was made on another block or at another level than its number gives"
            continue
        paired = _paired(task, run, look, entries, find)
        if paired is None:
            if look.passed or not look.detail.get("failure"):
                yield f"{name}: the scores that it compared are not there"
            continue
        if not (_same(look.p_value, paired.p) and _same(look.effect, paired.effect)):
            yield (
                f"{name}: p = {look.p_value!r} and effect {look.effect!r} are recorded, its scores give {paired.p!r} "
                f"and {paired.effect!r}"
            )
        if look.passed != (paired.p < look.alpha):
            yield f"{name}: its verdict is not the one that its p-value gives"


def promotions_differ(ledger: Ledger, task: Task, run: RunRecord, find: Find) -> Iterator[str]:
    """Promotions without a passed look, and scores on the report blocks that their evaluations do not give."""
    passed = {look.id: look for look in ledger.looks(run.id) if look.passed}
    for promotion in ledger.promotions(run.id)[1:]:
        look = passed.get(promotion.look) if promotion.look is not None else None
        if look is None or look.entry != promotion.entry:
            yield f"the promotion of batch {promotion.batch} has no look that was passed"
    blocks = task.instances("gate")
    for candidate, score in gate_scores(ledger, run.id).items():
        record = find(candidate, blocks)
        scores = record.scores if record is not None and record.outcome == "scored" else ()
        if not scores or not _same(score, aggregate(blocks.instances, scores, mean_of(task))):
            yield f"candidate {candidate[:8]} has the score {score!r} on the report blocks, its evaluation does not"


def _paired(
    task: Task, run: RunRecord, look: LookRecord, entries: dict[EntryId, EntryRecord], find: Find
) -> PairedResult | None:
    """The look's test, made again; None where a side has no scores on the block."""
    block = task.gate(look.block)
    sides = []
    for id_ in (look.entry, look.champion):
        record = find(entries[id_].candidate or "", block) if id_ in entries else None
        if record is None or record.outcome != "scored":
            return None
        sides.append(record.scores)
    return paired_look(run.seed, look.k, task, block, sides[0], sides[1])


def _same(a: float | None, b: float) -> bool:
    return a is not None and math.isclose(a, b, rel_tol=1e-12, abs_tol=1e-15)
