"""The strategy ``best-of-n``: no evolution at all."""

from __future__ import annotations

import random
from dataclasses import dataclass

from discovery.population.strategy import Plan, Situation


@dataclass(frozen=True)
class BestOfN:
    """Every proposal starts from a seed: the control, and the simplest baseline of a search."""

    name: str = "best-of-n"

    def plan(self, situation: Situation, draw: random.Random) -> Plan:
        return Plan("improve", (draw.choice(situation.snapshot.seeds),))
