"""The gate: a challenger meets the champion on instances that the search has never seen.

Look k of a run draws block k of a pool in an order seeded by the run; its level shrinks so that all looks together
keep the error at 5 %. Report blocks, which no look ever opens, give the scores that are quoted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from db.records import EntryKey, NewLook
from discovery.candidate import Candidate
from discovery.draws import generator, key
from discovery.evaluation import Evaluated, Evaluation
from discovery.population.archive import Member
from discovery.statistics import MARGIN, PairedResult, alpha, flips_for, paired_test
from evaluators.task import InstanceSet, Task, mean_of

ENTRY_LEVEL = 0.1
"""A challenger must be better on search with p below this before a look is spent on it."""


@dataclass(frozen=True)
class LookResult:
    """What a look found. ``failure`` says why a challenger (or champion) had no scores on the block."""

    number: int
    block: int
    reused: bool
    level: float
    paired: PairedResult | None
    failure: str = ""

    @property
    def passed(self) -> bool:
        return self.paired is not None and self.paired.p < self.level

    def row(self, entry: EntryKey, champion: EntryKey) -> NewLook:
        """The look as the ledger keeps it."""
        paired = self.paired
        return NewLook(
            k=self.number,
            entry=entry,
            champion=champion,
            block=self.block,
            alpha=self.level,
            p_value=paired.p if paired else 1.0,
            effect=paired.effect if paired else 0.0,
            passed=self.passed,
            detail={
                "reused": self.reused,
                "failure": self.failure,
                "interval": [paired.low, paired.high] if paired else None,
            },
        )


def block_order(seed: int, blocks: int) -> list[int]:
    """The order in which the looks of a run draw the blocks of its pool."""
    order = list(range(blocks))
    generator(seed, "gate blocks").shuffle(order)
    return order


def paired_look(
    seed: int,
    number: int,
    task: Task,
    block: InstanceSet,
    challenger: Sequence[float],
    champion: Sequence[float],
) -> PairedResult:
    """The paired test of a run's look ``number``, given both sides' scores on its block."""
    groups = [i.group for i in block]
    seed_of_flips = key(seed, number, "look")
    return paired_test(
        challenger,
        champion,
        groups,
        task.direction,
        seed_of_flips,
        flips=flips_for(number),
        mean=mean_of(task),
    )


class Gate:
    """Looks of one run."""

    def __init__(self, seed: int, *, task: Task, evaluation: Evaluation) -> None:
        self._seed, self._task, self._evaluation = seed, task, evaluation
        self._order = block_order(seed, task.gate_blocks)

    def worth_a_look(self, challenger: Member, champion: Member) -> bool:
        """Whether the challenger is at least 0.5 % better on the search split, with p < 0.1."""
        groups = [i.group for i in self._task.instances("search")]
        result = paired_test(
            challenger.scores,
            champion.scores,
            groups,
            self._task.direction,
            key(self._seed, "entry"),
            margin=0.0,
            mean=mean_of(self._task),
        )
        return result.effect >= MARGIN and result.p < ENTRY_LEVEL

    def look(self, number: int, challenger: Candidate, champion: Candidate) -> LookResult:
        """Look ``number`` (from 1). Both run on the block; what is stored is not run again."""
        place = (number - 1) % len(self._order)
        block, reused = self._order[place], number > len(self._order)
        instances = self._task.gate(block)
        sides = [self._evaluation.whole(c, instances) for c in (challenger, champion)]
        level = alpha(number)
        for side, name in zip(sides, ("challenger", "champion"), strict=True):
            if side.outcome != "scored":
                failure = f"the {name} ended as {side.outcome}: {side.reason}"
                return LookResult(number, block, reused, level, None, failure)
        paired = paired_look(self._seed, number, self._task, instances, sides[0].scores, sides[1].scores)
        return LookResult(number, block, reused, level, paired)

    def report(self, candidate: Candidate) -> Evaluated:
        """The candidate on the report blocks."""
        return self._evaluation.whole(candidate, self.report_set)

    @property
    def report_set(self) -> InstanceSet:
        return self._task.instances("gate")
