"""What a proposer is told about a parent: where it loses against the best baseline and its rivals, and what it costs.

A pure function of scores. Instances are named by id, class and size; what is inside them, and their references, stay
on the trusted side. Measured time is no part of it, since prompts must repeat.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from discovery.population.archive import Member
from discovery.proposers.base import Case, Parent, Rival
from evaluators.task import Direction, Instance

CASES = 3
"""Worst instances that are named for a parent."""


@dataclass(frozen=True)
class Feedback:
    """``names`` of the seeds by hash; ``instances`` of the search split in its order; ``baseline``: the best shipped
    one, where its scores by class are known."""

    instances: Sequence[Instance]
    names: Mapping[str, str]
    direction: Direction
    baseline: Rival | None = None

    def rival(self, seed: Member) -> Rival:
        """The best rule known at the start, which a candidate has to beat, by class: the best baseline, or ``seed``,
        the run's best one, where that is better or the baseline's classes are not known."""
        own = Rival(self.names.get(seed.hash, "seed"), seed.score, seed.by_group)
        sign = 1 if self.direction == "minimize" else -1
        known = self.baseline
        return known if known is not None and sign * known.score < sign * own.score else own

    def parents(self, members: Sequence[Member], seed: Member) -> tuple[Parent, ...]:
        """The members of a plan as a request tells them; ``seed`` is the best one."""
        return tuple(
            Parent(
                m.hash,
                m.code,
                m.score,
                m.by_group,
                nodes=m.nodes,
                worst=self._worst(m, [o for o in (*members, seed) if o.scores != m.scores]),
            )
            for m in members
        )

    def _worst(self, member: Member, rivals: Sequence[Member]) -> tuple[Case, ...]:
        """The instances where a member loses most against the best of its rivals there; without rivals, those with its
        worst scores. The order of the split breaks ties."""
        sign = 1 if self.direction == "minimize" else -1
        found = []
        for at, (instance, score) in enumerate(zip(self.instances, member.scores, strict=True)):
            best = min((r.scores[at] for r in rivals), key=lambda s: sign * s, default=None)
            loss = sign * score if best is None else sign * (score - best)
            if best is None or loss > 0:
                found.append((-loss, at, Case(instance.id, instance.group, instance.size, score, best)))
        return tuple(case for _, _, case in sorted(found, key=lambda f: f[:2])[:CASES])
