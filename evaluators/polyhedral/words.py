"""Transforms in words. Only legal ones: then every name in them is one of the program's or of ours."""

from __future__ import annotations

from evaluators.polyhedral.program import Affine, Program
from evaluators.polyhedral.transforms import (
    AffineSchedule,
    Distribute,
    Fuse,
    Interchange,
    Parallel,
    RegisterTile,
    Reverse,
    Shift,
    Skew,
    Strip,
    Tile,
    Transform,
    Unroll,
    Vectorise,
)


def told(transform: Transform, program: Program) -> str:
    """What a transform of a schedule of ``program`` does, in a few words."""
    match transform:
        case Fuse(first, second):
            return f"fuse {second} into {first}"
        case Distribute(loop, keep):
            return (
                f"distribute {loop} after its first {keep} parts"
                if keep > 1
                else f"distribute {loop} after its first part"
            )
        case Interchange(loops):
            return f"interchange to {', '.join(loops)}, outermost first"
        case Skew(loop, by, factor):
            return f"skew {loop} by {factor} times {by}"
        case Reverse(loop):
            return f"run {loop} backwards"
        case Shift(statement, loop, by):
            return f"shift {statement} by {by} along {loop}"
        case Strip(loop, size):
            return f"cut {loop} into strips of {size}"
        case Tile(loops, sizes):
            return f"tile {_sized(loops, sizes)}"
        case RegisterTile(loops, factors):
            return f"register tiles: {_sized(loops, factors)}, written out innermost"
        case Unroll(loop, factor):
            return f"unroll {loop} {factor} times"
        case Vectorise(loop):
            return f"vectorise {loop}"
        case Parallel(loop):
            return f"share {loop} among threads"
        case AffineSchedule():
            return f"new nests: {_placed(transform, program)}"


def _sized(loops: tuple[str, ...], sizes: tuple[int, ...]) -> str:
    return ", ".join(f"{loop} by {size}" for loop, size in zip(loops, sizes, strict=True))


def _placed(transform: AffineSchedule, program: Program) -> str:
    """Each statement with what the loops around it count."""
    iterators = {s.name: s.iterators for s in program.statements}
    found = []
    for place in transform.places:
        own = iterators[place.statement]
        rows = [Affine.of(dict(zip(own, row, strict=False)), row[-1]) for row in place.rows]
        found.append(f"{place.statement} at ({', '.join(map(str, rows))})")
    return ", ".join(found)
