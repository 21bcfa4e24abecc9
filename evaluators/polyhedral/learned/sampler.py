"""Random legal plans for training: a walk through the stages of :mod:`evaluators.polyhedral.learned.moves`."""

from __future__ import annotations

from collections.abc import Iterator

from evaluators.plain import Draw
from evaluators.polyhedral.compiler import Compiler
from evaluators.polyhedral.learned.moves import STAGES, Plan, Stage, apart, legal, together, wavefront

CHANCE: dict[Stage, int] = {apart: 50, together: 25, wavefront: 40}
"""Percent of the walks that make a move in a stage, for each chain."""
USUAL = 55
MOST_TRIED = 6
"""Plans of a stage that are proved before it is left out."""


def plans(compiler: Compiler, number: int, count: int) -> Iterator[Plan]:
    """At most ``count`` different legal plans for random program ``number``, always the same ones; none is empty."""
    draw = Draw(f"polyhedral plans {number}")
    seen: set[Plan] = {()}
    for _ in range(3 * count):
        plan = _walk(compiler, draw)
        if plan not in seen:
            seen.add(plan)
            yield plan
        if len(seen) > count:
            return


def _walk(compiler: Compiler, draw: Draw) -> Plan:
    plan: Plan = ()
    for stage in STAGES:
        for statement in compiler.program.statements:
            if _below(draw, 100) >= CHANCE.get(stage, USUAL):
                continue
            options = list(stage(compiler, plan, statement.name))
            for _ in range(min(MOST_TRIED, len(options))):
                longer = options.pop(_below(draw, len(options)))
                if legal(compiler, longer):
                    plan = longer
                    break
    return plan


def _below(draw: Draw, count: int) -> int:
    return int(draw.integers(0, count - 1, 1)[0])
