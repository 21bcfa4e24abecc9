"""A schedule to look at: its loops before and after, the transforms in words, and iteration spaces in their order."""

from __future__ import annotations

from collections.abc import Iterator

from evaluators.pictures import Column, Line, Outline, Picture
from evaluators.polyhedral import space
from evaluators.polyhedral.program import Program
from evaluators.polyhedral.referee import schedule_of
from evaluators.polyhedral.rows import tile_size
from evaluators.polyhedral.tree import Leaf, Nest, Node, Schedule, original
from evaluators.polyhedral.words import told
from evaluators.task import Instance

TILE, VECTOR, PARALLEL, UNROLLED = "counts tiles", "vector", "parallel", "unrolled"
KINDS = (TILE, VECTOR, PARALLEL, UNROLLED)
MOST_SPACES = 3
"""Statements whose iteration spaces are drawn."""


def pictures(instance: Instance, answer: bytes) -> tuple[Picture, ...]:
    """The program as it is written beside the answer's schedule, and the iteration space of every statement with two
    loops, at most MOST_SPACES. Raises InvalidAnswer for what is no list of transforms."""
    compiler, transforms, schedule, _ = schedule_of(instance, answer)
    program = compiler.program
    before = Column("before", outlined(program, original(program)))
    if schedule is None:
        # The reason would repeat names that a candidate has chosen.
        after = Column("after", (Line(0, "refused: it is not run"),))
        return (_outline(program, before, after),)
    steps = tuple(told(t, program) for t in transforms)
    outline = _outline(program, before, Column("after", outlined(program, schedule), steps))
    flat = [s for s in program.statements if len(s.iterators) == 2][:MOST_SPACES]
    return (outline, *space.drawn(program, schedule, flat))


def outlined(program: Program, schedule: Schedule) -> tuple[Line, ...]:
    """A line for each loop and statement of the tree, in order."""
    writes = {
        s.name: f"{s.name}: {s.write.array}[{', '.join(map(str, s.write.subscripts))}]"
        for s in program.statements
    }

    def visit(nodes: tuple[Node, ...], depth: int) -> Iterator[Line]:
        for node in nodes:
            if isinstance(node, Leaf):
                yield Line(depth, writes[node.statement])
            else:
                yield _loop(node, depth)
                yield from visit(node.body, depth + 1)

    return tuple(visit(schedule.body, 0))


def _outline(program: Program, before: Column, after: Column) -> Outline:
    return Outline(
        title=f"{len(program.statements)} statements in {len(program.loops)} loops"
        if len(program.statements) > 1
        else f"A statement in {len(program.loops)} loops",
        caption="Loops from outside to inside with what they count, statements with what they write.",
        columns=(before, after),
        kinds=KINDS,
    )


def _loop(nest: Nest, depth: int) -> Line:
    """A loop with its marks; of what it counts only what its name does not tell."""
    forms = tuple(dict.fromkeys(row for _, row in nest.rows))
    sizes = {tile_size(row) for row in forms}
    words = [f"for {nest.name}"]
    kind = ""
    if len(sizes) == 1 and None not in sizes:
        words.append(f"tiles of {sizes.pop()}")
        kind = TILE
    elif nest.mark != "unroll" and [str(f) for f in forms] != [nest.name]:
        words.append(f"counts {', '.join(map(str, forms))}")
    if nest.mark == "unroll":
        words.append(f"written out {nest.factor} times")
        kind = UNROLLED
    elif nest.factor:
        words.append(f"unrolled {nest.factor} times")
        kind = UNROLLED
    if nest.mark in ("vector", "parallel"):
        words.append(nest.mark)
        kind = VECTOR if nest.mark == "vector" else PARALLEL
    return Line(depth, ", ".join(words), kind)
