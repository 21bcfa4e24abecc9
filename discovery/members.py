"""Between the ledger's rows and the archive's members: one candidate's outcome in the three shapes that it takes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from db.ledger import Ledger
from db.records import CandidateText, EntryId, EntryKey, EntryRecord, LookRecord, NewEntry, NewLook
from discovery.candidate import Candidate
from discovery.evaluation import Evaluated
from discovery.population.archive import Member
from discovery.population.novelty import NEAR_COPY
from evaluators.task import Task


def member_of(
    task: Task, entry: NewEntry, candidate: Candidate | CandidateText, evaluated: Evaluated
) -> Member | None:
    """The member that a fully scored entry makes; None without a score."""
    if evaluated.score is None:
        return None
    return Member(
        key=entry.key,
        hash=candidate.hash,
        code=candidate.code,
        score=evaluated.score,
        scores=evaluated.scores,
        nodes=candidate.nodes,
        island=entry.island,
        by_group=group_means([i.group for i in task.instances("search")], evaluated.scores),
        behaviour=evaluated.behaviour,
    )


def group_means(groups: list[str], scores: tuple[float, ...]) -> dict[str, float]:
    """Mean score by class."""
    cells: dict[str, list[float]] = {}
    for group, score in zip(groups, scores, strict=False):
        cells.setdefault(group, []).append(score)
    return {g: sum(v) / len(v) for g, v in cells.items()}


def marks(evaluated: Evaluated) -> frozenset[str]:
    found = {"slow"} if evaluated.slow else set()
    if evaluated.marginal:
        found.add("marginal")
    if evaluated.outcome == "quarantined":
        found.add("quarantined")
    return frozenset(found)


def ending(entry: EntryRecord) -> str:
    """What became of an entry, in one word: its outcome, or that it was a duplicate or a near-copy and not run."""
    if entry.duplicate_of is not None:
        return "duplicate"
    return NEAR_COPY if NEAR_COPY in entry.marks else entry.outcome


def as_new(entry: EntryRecord) -> NewEntry:
    return NewEntry(
        k=entry.k,
        kind=entry.kind,
        operator=entry.operator,
        outcome=entry.outcome,
        candidate=entry.candidate,
        reason=entry.reason,
        island=entry.island,
        score=entry.score,
        m=entry.m,
        marks=entry.marks,
        duplicate_of=entry.key if entry.duplicate_of is not None else None,
    )


def parent_scores(ledger: Ledger, run: str) -> dict[EntryId, tuple[float, ...]]:
    """The scores of each entry's parents, in their order."""
    scores = {e.id: e.score for e in ledger.entries(run)}
    return {
        child: tuple(s for p in parents if (s := scores[p]) is not None)
        for child, parents in ledger.parents(run).items()
    }


def look_as_new(look: LookRecord, keys: Mapping[EntryId, EntryKey]) -> NewLook:
    return NewLook(
        k=look.k,
        entry=keys[look.entry],
        champion=keys[look.champion],
        block=look.block,
        alpha=look.alpha,
        p_value=look.p_value,
        effect=look.effect,
        passed=look.passed,
        detail=look.detail,
    )


def quarantine(entry: NewEntry, differences: Mapping[EntryKey, str]) -> NewEntry:
    """The entry after the confirmation: a duplicate shares the verdict of its owner, whose evaluation it is."""
    reason = differences.get(entry.duplicate_of or entry.key)
    if reason is None:
        return entry
    found = entry.marks if entry.duplicate_of else entry.marks | {"quarantined"}
    return replace(entry, outcome="quarantined", reason=reason, score=None, marks=found)
