"""What the sampler and the beam search may do to a schedule: textbook moves, in the order in which compilers make them.

A *plan* is a list of transforms, all of them legal so far; a move makes it longer. Moves come in stages: which
statements share loops, skewed tiles in time, the order of loops, tiles, register tiles, marks for the compiler. Those
of most stages are about one *chain*: loops of which each holds nothing but the next, down to statements. A plan that
a stage proposes need not be legal; :func:`legal` tells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import permutations

from evaluators.polyhedral.compiler import Compiler
from evaluators.polyhedral.transforms import (
    MOST_TRANSFORMS,
    Distribute,
    Fuse,
    Interchange,
    RegisterTile,
    Shift,
    Skew,
    Tile,
    Transform,
    Unroll,
    Vectorise,
)
from evaluators.polyhedral.tree import Leaf, Nest, Node, Schedule, statements

Plan = tuple[Transform, ...]
Stage = Callable[[Compiler, Plan, str], Iterator[Plan]]
"""Longer plans out of a plan, about the chain that ends at a statement."""

TILES = (16, 32, 64)
WIDE = 256
"""Along the innermost loop, which vectors run along."""
FACTORS = ((2,), (4,), (8,), (2, 2), (4, 2), (2, 4), (4, 4))
"""Of register tiles: of one loop, of two."""
UNROLLED = (2, 4, 8)
SKEWS = (1, 2)
SHIFTS = (0, 1, 2)
TIME_TILES = ((8, 32), (16, 64), (32, 32), (8, 256))
"""Along the first loop and along the others of a wavefront."""
MOST_ORDERED = 3
"""Loops of a chain of which every order is tried; of longer ones every loop goes inside or outside."""


def schedule_of(compiler: Compiler, plan: Plan) -> Schedule:
    """The schedule of a legal plan."""
    made = compiler.verdict(plan).schedule
    assert made is not None
    return made


def legal(compiler: Compiler, plan: Plan) -> bool:
    return len(plan) <= MOST_TRANSFORMS and compiler.verdict(plan).schedule is not None


def chain_of(schedule: Schedule, statement: str) -> tuple[Nest, ...]:
    """The loops around a statement, from the innermost outwards as long as a loop holds nothing but the next, outer to
    inner; () where the statement is not the first one there, so that every chain has one statement to ask for it."""
    loops = schedule.loops_of(statement)
    if not loops or statements(loops[-1].body)[0] != statement:
        return ()
    first = len(loops) - 1
    while first and len(loops[first - 1].body) == 1:
        first -= 1
    return loops[first:]


def points(chain: tuple[Nest, ...]) -> tuple[str, ...]:
    """Names of the loops of a chain that count single iterations and are not written out."""
    return tuple(n.name for n in chain if n.mark != "unroll" and not tiled(n))


def tiled(nest: Nest) -> bool:
    """Whether the loop counts tiles."""
    return all(c == 1 and name.startswith("floor") for _, row in nest.rows for name, c in row.terms)


# -- stages ------------------------------------------------------------------------------------------------------------


def apart(compiler: Compiler, plan: Plan, statement: str) -> Iterator[Plan]:
    """All statements in loops of their own as far as that is legal, or one loop in two."""
    if statement != compiler.program.statements[0].name:
        return
    yield fully_apart(compiler, plan)
    for nest in schedule_of(compiler, plan).nests.values():
        for keep in range(1, len(nest.body)):
            yield (*plan, Distribute(nest.name, keep))


def together(compiler: Compiler, plan: Plan, statement: str) -> Iterator[Plan]:
    """The loops that follow one another, shifted if need be, as one: at one level, or at all."""
    schedule = schedule_of(compiler, plan)
    for nest in schedule.loops_of(statement):
        siblings = [n for n in schedule.siblings(nest.name) if isinstance(n, Nest)]
        following = siblings[siblings.index(nest) + 1 :][:1]
        if not following or statements(nest.body)[0] != statement:
            continue
        for deep in (False, True):
            longer = fused(compiler, plan, nest.name, following[0].name, deep=deep)
            if longer is not None:
                yield longer


def wavefront(compiler: Compiler, plan: Plan, statement: str) -> Iterator[Plan]:
    """Tiles across the outermost loop and those inside it, all of which are skewed by it where that is needed; what the
    loop holds is fused before."""
    loops = schedule_of(compiler, plan).loops_of(statement)
    if len(loops) < 2 or tiled(loops[0]) or statements(loops[0].body)[0] != statement:
        return
    whole: Plan | None = plan
    while whole is not None and len(body := schedule_of(compiler, whole).nests[loops[0].name].body) > 1:
        names = [n.name for n in body if isinstance(n, Nest)]
        whole = fused(compiler, whole, *names[:2], deep=True) if len(names) == len(body) else None
    if whole is None:
        return
    chain = schedule_of(compiler, whole).chain(loops[0].name)
    names = [n.name for n in chain]
    for factor in (0, *SKEWS):
        skewed = (*whole, *(Skew(n, names[0], factor) for n in names[1:] if factor))
        made = [
            (*skewed, Tile(tuple(names[:depth]), (first, *[other] * (depth - 1))))
            for depth in sorted({2, len(names)} & set(range(2, len(names) + 1)))
            for first, other in TIME_TILES
        ]
        if any(legal(compiler, p) for p in made):
            yield from made
            return


def order(compiler: Compiler, plan: Plan, statement: str) -> Iterator[Plan]:
    """The loops of a chain, within its tiles, in another order."""
    names = points(chain_of(schedule_of(compiler, plan), statement))
    if len(names) < 2:
        return
    if len(names) <= MOST_ORDERED:
        orders = list(permutations(names))
    else:
        orders = [(*(m for m in names if m != n), n) for n in names]
        orders += [(n, *(m for m in names if m != n)) for n in names]
    yield from ((*plan, Interchange(o)) for o in dict.fromkeys(orders) if o != names)


def tiles(compiler: Compiler, plan: Plan, statement: str) -> Iterator[Plan]:
    """A chain in tiles: the same along all loops, wide along the innermost, or of the outer loops alone."""
    chain = chain_of(schedule_of(compiler, plan), statement)
    names = points(chain)
    if len(names) < 2 or len(names) < len(chain):
        return
    for size in TILES:
        yield (*plan, Tile(names, (size,) * len(names)))
        yield (*plan, Tile(names, (*[size] * (len(names) - 1), WIDE)))
        if len(names) > 2:
            yield (*plan, Tile(names[:-1], (size,) * (len(names) - 1)))


def register_tiles(compiler: Compiler, plan: Plan, statement: str) -> Iterator[Plan]:
    """One or two loops outside the innermost one in register tiles, the innermost one in vectors if that is legal."""
    chain = chain_of(schedule_of(compiler, plan), statement)
    names = points(chain)
    if len(names) < 2 or any(n.mark for n in chain):
        return
    *outer, last = names
    for factors in FACTORS:
        for chosen in _subsequences(outer, len(factors)):
            longer = (*plan, RegisterTile(chosen, factors))
            vectors = (*longer, Vectorise(last))
            yield vectors if legal(compiler, vectors) else longer


def marks(compiler: Compiler, plan: Plan, statement: str) -> Iterator[Plan]:
    """The innermost loop in vectors, or its body repeated."""
    chain = chain_of(schedule_of(compiler, plan), statement)
    if not chain or any(n.mark or n.factor for n in chain):
        return
    yield (*plan, Vectorise(chain[-1].name))
    yield from ((*plan, Unroll(chain[-1].name, factor)) for factor in UNROLLED)


STAGES: tuple[Stage, ...] = (apart, together, wavefront, order, tiles, register_tiles, marks)


# -- parts -------------------------------------------------------------------------------------------------------------


def fully_apart(compiler: Compiler, plan: Plan) -> Plan:
    """The plan and every distribution that is legal after it, inner loops first."""
    found: Plan | None = plan
    while found is not None:
        plan, found = found, next(_distributions(compiler, found), None)
    return plan


def _distributions(compiler: Compiler, plan: Plan) -> Iterator[Plan]:
    for nest in reversed(schedule_of(compiler, plan).nests.values()):
        for keep in range(1, len(nest.body)):
            if legal(compiler, longer := (*plan, Distribute(nest.name, keep))):
                yield longer


def fused(compiler: Compiler, plan: Plan, first: str, second: str, *, deep: bool) -> Plan | None:
    """A legal plan in which two neighbouring loops are one, the second one shifted as little as that takes, or None.
    ``deep``: and so are the loops that they hold, if each holds just one."""
    for by in SHIFTS:
        nest = schedule_of(compiler, plan).nests[second]
        shifts = tuple(Shift(s, second, by) for s in statements(nest.body) if by)
        longer = (*plan, *shifts, Fuse(first, second))
        if not legal(compiler, longer):
            continue
        body = schedule_of(compiler, longer).nests[first].body
        inner: list[Node] = [n for n in body if not isinstance(n, Leaf)]
        if deep and len(body) == len(inner) == 2:
            a, b = (n.name for n in inner if isinstance(n, Nest))
            deeper = fused(compiler, longer, a, b, deep=True)
            if deeper is None:
                continue
            return deeper
        return longer
    return None


def _subsequences(names: list[str], count: int) -> Iterator[tuple[str, ...]]:
    if count == 1:
        yield from ((n,) for n in names)
    else:
        yield from ((a, b) for k, a in enumerate(names) for b in names[k + 1 :])
