"""Between the ledger's rows and the archive's members: one candidate's outcome in the three shapes that it takes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from db.ledger import Ledger
from db.records import CandidateText, EntryId, EntryKey, EntryRecord, LookRecord, NewEntry, NewLook
from discovery.candidate import Candidate
from discovery.evaluation import Evaluated
from discovery.population.archive import Member
from discovery.population.novelty import NEAR_COPY
from evaluators.task import Describing, Task, TaskError, in_classes, mean_of


def member_of(
    task: Task, entry: NewEntry, candidate: Candidate | CandidateText, evaluated: Evaluated
) -> Member | None:
    """The member that a fully scored entry makes; None without a score."""
    return (
        None
        if evaluated.score is None
        else scored_member(task, entry.key, entry.island, candidate, evaluated)
    )


def scored_member(
    task: Task, key: EntryKey, island: int, candidate: Candidate | CandidateText, evaluated: Evaluated
) -> Member:
    """The member of an entry with a score, described by all that its evaluation says."""
    assert evaluated.score is not None
    return Member(
        key=key,
        hash=candidate.hash,
        code=candidate.code,
        score=evaluated.score,
        scores=evaluated.scores,
        nodes=candidate.nodes,
        island=island,
        by_group=in_classes(task.instances("search"), evaluated.scores, mean_of(task)),
        behaviour=evaluated.behaviour,
        lines=evaluated.lines,
        traits=traits_of(task, evaluated.values),
        measured=task.measured,
    )


def traits_of(task: Task, values: Sequence[float]) -> dict[str, float]:
    """What the task says of answers with these raw objectives on the search split; nothing where it says nothing.

    Raises TaskError for a number that is not between 0 and 1."""
    if not isinstance(task, Describing):
        return {}
    found = dict(task.descriptors(task.instances("search").instances, values))
    for name, value in found.items():
        if not 0.0 <= value <= 1.0:
            raise TaskError(
                f"task {task.name!r} describes {name!r} as {value!r}; expected a number from 0 to 1"
            )
    return found


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
