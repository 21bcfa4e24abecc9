"""Which operator a slot draws: shares of one unit interval, restricted to what the slot could do now.

The operators are those of the evolutionary searches with language models: a new idea and a combination (E1 and E2 of
EoH, Liu et al. 2024), a changed decision and a simpler form (its M1 and M3), a correction of what failed, and a
reflection on two programs of different score (ReEvo, Ye et al. 2024).
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass

from discovery.proposers.base import Operator

REST: Operator = "improve"
"""Takes what the others leave: the share of an operator that is not possible goes here."""


@dataclass(frozen=True)
class Shares:
    """Shares by operator of the interval [0, 1), in this order, so that a proposer with fewer operators draws the
    common ones as any other does. A reflection and a repair cost a sample each: one note serves many later prompts, and
    a repair is worth less than a new idea once the loop has scored some."""

    combine: float = 0.2
    simplify: float = 0.05
    repair: float = 0.1
    create: float = 0.05
    reflect: float = 0.05

    def __post_init__(self) -> None:
        shares = [share for _, share in self._pairs()]
        if min(shares) < 0 or sum(shares) > 1 + 1e-9:
            raise ValueError(f"{self} are no parts of 1: {REST} takes what they leave")

    def drawn(self, roll: float, possible: Container[Operator]) -> Operator:
        """The operator at ``roll`` in [0, 1)."""
        at = 0.0
        for operator, share in self._pairs():
            at += share
            if roll < at:
                return operator if operator in possible else REST
        return REST

    def _pairs(self) -> tuple[tuple[Operator, float], ...]:
        return (
            ("combine", self.combine),
            ("simplify", self.simplify),
            ("repair", self.repair),
            ("create", self.create),
            ("reflect", self.reflect),
        )


def possible(able: frozenset[Operator], *, broken: bool, learnt: bool) -> frozenset[Operator]:
    """What a slot can do: of what its proposer is ``able`` to do, a repair only where something is ``broken``, a
    reflection only once something was ``learnt``."""
    missing: frozenset[Operator] = frozenset()
    missing |= frozenset() if broken else {"repair"}
    missing |= frozenset() if learnt else {"reflect"}
    return able - missing
