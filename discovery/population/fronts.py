"""Fronts over members: nobody better on one instance, nobody both better and smaller.

Pure functions, at a cost that follows the number of members, which the archive bounds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from discovery.population.member import Member, age, rank
from evaluators.task import Direction


def best_by_instance(members: Iterable[Member], direction: Direction) -> tuple[Member, ...]:
    """For each search instance, in the split's order, the member with the best score there; of equals the earlier."""
    ordered = sorted(members, key=age)
    best = min if direction == "minimize" else max
    columns = zip(*(m.scores for m in ordered), strict=True)
    return tuple(ordered[column.index(best(column))] for column in columns)


def wins_of(front: Sequence[Member], direction: Direction) -> tuple[tuple[Member, int], ...]:
    """The members of a per-instance front with the number of instances that each wins, best ranked first."""
    counts = Counter(m.key for m in front)
    unique = {m.key: m for m in front}
    return tuple((m, counts[m.key]) for m in sorted(unique.values(), key=lambda m: rank(m, direction)))


def pareto_front(members: Iterable[Member], direction: Direction) -> tuple[Member, ...]:
    """The members that no other beats in both score and code size, best score (and largest) first."""
    front: list[Member] = []
    for member in sorted(members, key=lambda m: rank(m, direction)):
        if not front or member.nodes < front[-1].nodes:
            front.append(member)
    return tuple(front)


def complementary(a: Member, b: Member) -> bool:
    """Whether each of two members scores better than the other on some instance, so that both have something to
    give. (Which way is better does not matter: there must be differences of both signs.)"""
    pairs = list(zip(a.scores, b.scores, strict=True))
    return any(x < y for x, y in pairs) and any(x > y for x, y in pairs)
