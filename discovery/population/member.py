"""A member of the archive: a fully scored entry, with all that selection may look at."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from db.records import EntryKey
from evaluators.task import Direction


@dataclass(frozen=True)
class Member:
    """A fully scored entry. ``scores`` are those of the search split, in its order; ``nodes`` is the code size in nodes
    of the syntax tree; ``by_group`` the mean score of each class."""

    key: EntryKey
    hash: str
    code: str
    score: float
    scores: tuple[float, ...]
    nodes: int
    island: int
    by_group: Mapping[str, float] = field(default_factory=dict, compare=False)
    lines: int | None = field(default=None, compare=False)
    """Lines executed on the screen split, None where they were not counted. The child's word, so it describes and never
    decides what is better."""
    traits: Mapping[str, float] = field(default_factory=dict, compare=False)
    """What the task says of the answers, each between 0 and 1 (see :class:`evaluators.task.Describing`)."""

    behaviour: str = field(default="", compare=False)
    """Equal for members with the same answers on the search split; empty where they are not known."""
    measured: bool = field(default=False, compare=False)
    """Whether the scores are, so that they differ where the answers are the same."""

    @property
    def alike(self) -> object:
        """Equal for members of which an island keeps one: those with the same scores, or with the same answers where
        scores are measured."""
        return self.behaviour if self.measured and self.behaviour else self.scores

    @cached_property
    def signature(self) -> str:
        """SHA-256 over the scores. Members that answer alike have the same one."""
        return hashlib.sha256(array("d", self.scores).tobytes()).hexdigest()


def rank(member: Member, direction: Direction) -> tuple[float, int, EntryKey]:
    """Sort key, best first: score, then the smaller code, then the earlier entry."""
    return (member.score if direction == "minimize" else -member.score, member.nodes, member.key)


def age(member: Member) -> tuple[bool, int, str]:
    """Sort key, earliest first: the seeds in their order, then the slots, a slot's own entry before its tuned one."""
    return (member.key.k >= 0, abs(member.key.k), member.key.kind)
