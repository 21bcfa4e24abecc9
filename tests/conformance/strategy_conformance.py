"""What every strategy must hold. Subclass :class:`StrategyConformance` as ``TestMyStrategy`` and give ``make``."""

from __future__ import annotations

import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from db.records import EntryKey
from discovery.draws import generator
from discovery.population.archive import Archive, Member
from discovery.population.memory import Broken
from discovery.population.strategy import Plan, Situation, Strategy, fault, planned
from discovery.proposers.base import EDITS, WRITES, Operator
from evaluators.task import Direction

INSTANCES = 12
CAN: tuple[frozenset[Operator], ...] = (
    frozenset({"improve"}),
    EDITS,
    WRITES,
    frozenset({"improve", "reflect"}),
    frozenset({"improve", "create", "repair"}),
)
"""What proposers can do: always ``improve``, and more or less besides."""


def member(k: int, draw: random.Random, *, island: int = 0) -> Member:
    """An entry with random scores in two classes; numbers below 0 are seeds."""
    scores = tuple(round(draw.uniform(0, 9)) / 1.0 for _ in range(INSTANCES))
    halves = {"a": sum(scores[::2]) / 6, "b": sum(scores[1::2]) / 6}
    key = EntryKey(k, "seed" if k < 0 else "own")
    mean = sum(scores) / INSTANCES
    return Member(key, f"{k % (1 << 32):064x}", f"# {k}", mean, scores, draw.randint(5, 300), island, halves)


def situations(operators: frozenset[Operator]) -> Iterator[Situation]:
    """One seed only; seeds only; archives of several shapes, fresh and full, minimised and maximised; with and without
    candidates to repair."""
    draw = random.Random(5)
    directions: tuple[Direction, ...] = ("minimize", "maximize")
    broken = tuple(Broken(EntryKey(k, "own"), f"{k:064x}", "error", "it fell") for k in (900, 901))
    for direction in directions:
        for seeds, islands, cells, members in ((1, 1, 0, 0), (2, 3, 6, 0), (2, 1, 0, 5), (2, 3, 6, 60)):
            made = Archive(
                [member(-1 - n, draw) for n in range(seeds)],
                islands=islands, capacity=6, direction=direction, cells=cells, migration=1,
            )  # fmt: skip
            made.admit([member(k, draw, island=k % islands) for k in range(members)], 0)
            for island in range(islands):
                yield Situation(island, made.snapshot(), operators, broken if island % 2 == 0 else ())


class StrategyConformance:
    """``slots``: how many plans of each situation are looked at."""

    slots: ClassVar[range] = range(60)

    def make(self) -> Strategy:
        """A new strategy, as a new process would make it."""
        raise NotImplementedError

    def plans(self, strategy: Strategy, situation: Situation, seed: int = 1) -> list[Plan]:
        return [strategy.plan(situation, generator(seed, k, 0, "plan")) for k in self.slots]

    def every(self) -> list[Situation]:
        return [s for operators in CAN for s in situations(operators)]

    def test_it_is_a_strategy_with_a_name(self) -> None:
        strategy = self.make()
        assert isinstance(strategy, Strategy) and strategy.name and strategy.name == self.make().name

    def test_plans_are_a_pure_function_of_situation_and_draw(self) -> None:
        """Nothing that was planned before and no other generator decides: not the order, not the process, not how
        many ask at once."""
        used = self.make()
        situations = self.every()
        first = [self.plans(used, s) for s in situations]
        random.seed(99)
        assert [self.plans(used, s) for s in reversed(situations)] == first[::-1]
        random.seed(7)
        assert [self.plans(self.make(), s) for s in situations] == first
        with ThreadPoolExecutor(4) as pool:
            assert list(pool.map(lambda s: self.plans(used, s), situations)) == first

    def test_plans_are_allowed(self) -> None:
        """An operator that the proposer has, with parents enough, all of them from the snapshot."""
        for situation in self.every():
            for plan in self.plans(self.make(), situation):
                assert fault(plan, situation) is None

    def test_the_loop_takes_the_plans(self) -> None:
        situation = self.every()[-1]
        for k in self.slots:
            planned(self.make(), situation, generator(1, k, 0, "plan"))

    def test_one_seed_is_enough(self) -> None:
        for operators in CAN:
            alone = next(iter(situations(operators)))
            assert len(alone.snapshot.members()) == 1
            for plan in self.plans(self.make(), alone):
                assert {p.key for p in plan.parents} <= {alone.snapshot.seeds[0].key}

    def test_a_proposer_that_can_only_improve_is_asked_for_nothing_else(self) -> None:
        for situation in situations(frozenset({"improve"})):
            assert {p.operator for p in self.plans(self.make(), situation)} == {"improve"}

    def test_a_plan_changes_nothing(self) -> None:
        for situation in self.every():
            before = (situation.snapshot.islands, situation.snapshot.cells, situation.broken)
            self.plans(self.make(), situation)
            assert (situation.snapshot.islands, situation.snapshot.cells, situation.broken) == before

    def test_slots_differ(self) -> None:
        """A strategy that always plans the same would never search. Operators, parents or both may differ."""
        full = [s for s in situations(WRITES) if len(s.snapshot.members()) > 5]
        for situation in full:
            assert len({(p.operator, p.parents) for p in self.plans(self.make(), situation)}) > 1
