"""Lists of transforms that are often meaningful: each is drawn from those that the tree as it stands has room for."""

from __future__ import annotations

from itertools import permutations
from typing import Any

from hypothesis import strategies as st

from evaluators.polyhedral.compiler import Compiler
from evaluators.polyhedral.program import Program
from evaluators.polyhedral.transforms import Transform, read
from evaluators.polyhedral.tree import Nest, Schedule, statements

Plain, List = list[Any], tuple[Transform, ...]
TILES, FACTORS = (1, 2, 3, 5), (2, 3)
"""Small, so that small sizes have whole tiles and partial ones, and what is illegal shows there."""


def options(schedule: Schedule, program: Program) -> dict[str, list[Plain]]:
    """Transforms with a meaning by their name. Most of them are illegal for most programs."""
    found: dict[str, list[Plain]] = {}

    def may(*transform: Any) -> None:
        found.setdefault(transform[0], []).append(list(transform))

    for name, nest in schedule.nests.items():
        chain = [n.name for n in schedule.chain(name)]
        following = schedule.siblings(name)[schedule.siblings(name).index(nest) + 1 :]
        if following and isinstance(following[0], Nest):
            may("fuse", name, following[0].name)
        for keep in range(1, len(nest.body)):
            may("distribute", name, keep)
        for length in (2, 3):
            for order in permutations(chain[:length]):
                if len(chain) >= length and list(order) != chain[:length]:
                    may("interchange", list(order))
        for other in (*schedule.around[name], *chain[1:]):
            for factor in (-1, 1, 2):
                may("skew", name, other, factor)
        may("reverse", name)
        for statement in nest.row:
            for by in (-1, 1, 2):
                may("shift", statement, name, by)
        for k, size in enumerate(TILES):
            may("strip", name, size)
            for length in (2, 3):
                if len(chain) >= length:
                    may("tile", chain[:length], [size, *(TILES[(k + j) % 4] for j in range(1, length))])
        if not any(isinstance(n, Nest) for n in schedule.nests[chain[-1]].body):
            for length in (1, 2):
                for picked in permutations(chain, length):
                    may("register_tile", list(picked), [FACTORS[len(p) % 2] for p in picked])
            may("unroll", chain[-1], 3)
            may("vectorise", name)
        may("parallel", name)
    for first in range(len(schedule.body)):
        for last in range(first + 1, min(first + 3, len(schedule.body)) + 1):
            for together in (False, True):
                for flip in (False, True):
                    may("affine", _places(statements(schedule.body[first:last]), program, together, flip))
    return found


def _places(names: tuple[str, ...], program: Program, together: bool, flip: bool) -> list[Plain]:
    """Statements in one nest or each in its own; ``flip``: the iterators from the inside out."""
    iterators = {s.name: len(s.iterators) for s in program.statements}
    made = []
    for number, name in enumerate(names, start=1):
        depth = iterators[name]
        rows = [[int(k == d) for k in range(depth)] + [0] for d in range(depth)]
        positions = [*[0] * depth, number] if together else [number, *[0] * depth]
        made.append([name, rows[::-1] if flip else rows, positions])
    return made


@st.composite
def plans(draw: st.DrawFn, compiler: Compiler, most: int = 5) -> tuple[List, list[List]]:
    """A legal list of transforms, and lists on the way to it of which the last transform was refused."""
    legal: List = ()
    refused: list[List] = []
    for _ in range(draw(st.integers(1, most))):
        schedule = compiler.verdict(legal).schedule
        assert schedule is not None
        rooms = options(schedule, compiler.program)
        kind = draw(st.sampled_from(sorted(rooms)))
        (step,) = read([draw(st.sampled_from(rooms[kind]))])
        if compiler.verdict((*legal, step)).schedule is None:
            refused.append((*legal, step))
        else:
            legal = (*legal, step)
    return legal, refused
