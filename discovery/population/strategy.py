"""What a strategy is: who becomes a parent, and by which operator. One small Protocol; the loop is the same for all.

A plan is a pure function of the slot's situation and the slot's own generator. The shipped strategies are one module
each; :mod:`discovery.population.strategies` finds them and those of installed packages by name.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from db.records import EntryKey
from discovery.errors import EnvironmentProblem
from discovery.population.archive import Member, Snapshot
from discovery.population.memory import Broken
from discovery.population.operators import possible
from discovery.proposers.base import Operator


@dataclass(frozen=True)
class Plan:
    """What a slot does: the operator and its parents, the first one being edited."""

    operator: Operator
    parents: tuple[Member, ...]
    broken: Broken | None = None
    """What a repair starts from: a candidate that failed in the sandbox. Its parents are code that works."""

    @property
    def origins(self) -> tuple[EntryKey, ...]:
        """The entries that the slot's reply builds on, the one that is edited first."""
        broken = (self.broken.key,) if self.broken is not None else ()
        return (*broken, *(p.key for p in self.parents))


@dataclass(frozen=True)
class Situation:
    """What the plan of a slot may depend on: the state after batch g−2, seen from the slot's island."""

    island: int
    snapshot: Snapshot
    operators: frozenset[Operator]
    """What the proposer can do; a plan uses no other. ``improve`` is always among them."""
    broken: tuple[Broken, ...] = ()
    """Candidates that failed in the sandbox and that no slot has tried to repair yet, oldest first."""

    @property
    def possible(self) -> frozenset[Operator]:
        """What the proposer could be asked for now."""
        members = self.snapshot.islands[self.island]
        learnt = bool(self.broken) or any(m.key.kind != "seed" for m in members)
        return possible(self.operators, broken=bool(self.broken), learnt=learnt)


@runtime_checkable
class Strategy(Protocol):
    """Holds no state that decides a plan: it is made anew when a run is resumed."""

    @property
    def name(self) -> str: ...

    def plan(self, situation: Situation, draw: random.Random) -> Plan:
        """The plan of one slot: an operator out of ``situation.operators``, parents out of ``situation.snapshot``. All
        chance comes from ``draw``."""
        ...


LEAST_PARENTS: dict[Operator, int] = {"improve": 1, "simplify": 1, "combine": 2}
"""How many parents an operator needs at least; the others need none."""


def planned(strategy: Strategy, situation: Situation, draw: random.Random) -> Plan:
    """The strategy's plan, checked, because a strategy may be anybody's code.

    Raises EnvironmentProblem when the strategy fails or its plan is not one that the situation allows."""
    try:
        plan = strategy.plan(situation, draw)
        wrong = fault(plan, situation)
    except Exception as error:
        raise EnvironmentProblem(
            f"strategy {strategy.name!r} failed: {type(error).__name__}: {error}; its package has to be mended"
        ) from error
    if wrong is not None:
        raise EnvironmentProblem(f"strategy {strategy.name!r} {wrong}; its package has to be mended")
    return plan


def fault(plan: Plan, situation: Situation) -> str | None:
    """What makes a plan one that the situation does not allow, or None."""
    if plan.operator not in situation.operators:
        can = ", ".join(sorted(situation.operators))
        return f"plans {plan.operator!r}, which the proposer cannot do (it can: {can})"
    least = LEAST_PARENTS.get(plan.operator, 0)
    if len({p.key for p in plan.parents}) < max(least, len(plan.parents)):
        return f"plans {plan.operator!r} with too few different parents"
    if any(p.key not in situation.snapshot.keys for p in plan.parents):
        return "plans with a parent that is not in the archive"
    if plan.operator == "repair" and plan.broken not in situation.broken:
        return "plans the repair of a candidate that is not there to be repaired"
    return None
