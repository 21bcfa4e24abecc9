"""The strategy ``reflective``: parents from the per-instance front, few and well-founded steps.

In the manner of GEPA (Agrawal et al., "GEPA: Reflective Prompt Evolution Can Outperform Reinforcement Learning", arXiv
2507.19457): a parent is drawn from those that are best on some instance, by how many they win, so that a specialist is
not lost to a generalist; it is improved with concrete feedback, which is the prompt's part; now and then two of them
are merged, or what has worked and why is written down. There are no islands: the whole archive is one population.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from discovery.population.operators import Shares
from discovery.population.selection import by_wins
from discovery.population.strategy import Plan, Situation

SHARES = Shares(combine=0.15, simplify=0.0, repair=0.15, create=0.0, reflect=0.05)


@dataclass(frozen=True)
class Reflective:
    """A merge takes two members of the front, each of which wins where the other does not; a reflection compares two
    such members; a repair mends a candidate that failed in the sandbox. What is left improves."""

    name: str = "reflective"
    shares: Shares = SHARES

    def plan(self, situation: Situation, draw: random.Random) -> Plan:
        operator = self.shares.drawn(draw.random(), situation.possible)
        first = by_wins(situation.snapshot.wins, draw)
        if operator == "repair":
            return Plan(operator, (first,), draw.choice(situation.broken))
        if operator in ("combine", "reflect"):
            # Every instance has one winner, so two members of the front win on different ones.
            others = [(m, count) for m, count in situation.snapshot.wins if m.key != first.key]
            if others:
                return Plan(operator, (first, by_wins(others, draw)))
        return Plan("improve" if operator == "combine" else operator, (first,))
