"""The iteration space of a statement with two loops, at a small size, cut into what runs in one piece.

Without tiles that is every point. With them it is what the loops down to the innermost of the first tile loops have in
common: the points of a tile, whatever its shape is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import count, groupby

import numpy as np
import numpy.typing as npt

from evaluators.pictures import Tile, Tiles
from evaluators.polyhedral.program import Affine, Loop, Program, Sizes, Statement
from evaluators.polyhedral.rows import counts_tiles, form
from evaluators.polyhedral.tree import Nest, Schedule

Ints = npt.NDArray[np.int64]
START = (10, 20, 40, 80, 5, 2, 1)
"""What every size of the program is in the picture: the first of these at which there is something to see, and not too
much. Where there are tiles it is doubled until there are LEAST_PIECES."""
LEAST_PIECES, MOST_RECTANGLES, MOST_POINTS, MOST_SIZE = 6, 400, 40_000, 640


@dataclass(frozen=True)
class Pieces:
    """The points of a statement: iterators ``outer`` and ``inner``, and the ``piece`` that each is in, numbered from 0
    in the order in which they run. All are of shape (points,)."""

    sizes: Sizes
    outer: Ints
    inner: Ints
    piece: Ints

    @property
    def count(self) -> int:
        return int(self.piece.max(initial=-1)) + 1


def drawn(program: Program, schedule: Schedule, statements: Sequence[Statement]) -> tuple[Tiles, ...]:
    """The iteration spaces of ``statements`` with two loops: the inner one to the right, the outer one upwards, each
    piece coloured by its place in the order. Those with tiles are drawn at the same sizes, where they can be; one that
    is too large at every size is left out."""
    found: dict[str, Pieces] = {}
    for statement in statements:
        tried = (_fitting(program, schedule, statement, value) for value in START)
        if (first := next(filter(None, tried), None)) is not None:
            found[statement.name] = first
    tiled = [s for s in statements if s.name in found and _tile_loops(schedule, s.name)]
    value = max((max(found[s.name].sizes.values()) for s in tiled), default=MOST_SIZE)
    while value < MOST_SIZE and any(found[s.name].count < LEAST_PIECES for s in tiled):
        value *= 2
        larger = {s.name: _fitting(program, schedule, s, value) for s in tiled}
        grown = {name: more for name, more in larger.items() if more is not None}
        if len(grown) < len(tiled):
            break
        found |= grown
    return tuple(
        _drawn(found[s.name], s, _tile_loops(schedule, s.name)) for s in statements if s.name in found
    )


def _drawn(found: Pieces, statement: Statement, tiles: tuple[str, ...]) -> Tiles:
    up, across = statement.iterators
    sizes = ", ".join(f"{name} = {value}" for name, value in found.sizes.items())
    what = f"Each patch is a tile, counted by {', '.join(tiles)}" if tiles else "Each cell is an iteration"
    word = "tile" if tiles else "iteration"
    return Tiles(
        title=f"The iterations of {statement.name} in their order",
        caption=f"At {sizes}. {what}; the redder, the later it runs.",
        across=across,
        up=up,
        tiles=tuple(_tile(r, found, (up, across), word) for r in rectangles(found)),
    )


def pieces(program: Program, schedule: Schedule, statement: Statement, sizes: Sizes) -> Pieces | None:
    """The points of ``statement``, which has two loops, and what runs in one piece. None: more than MOST_POINTS."""
    points = _points(program, statement, sizes)
    if points is None:
        return None
    outer, inner = points
    values = {**sizes, **dict(zip(statement.iterators, points, strict=True))}
    rows = [form(row).at(values) for row in _key(schedule.loops_of(statement.name), statement.name)]
    key = np.stack([np.broadcast_to(np.asarray(row, np.int64), outer.shape) for row in rows], axis=1)
    _, piece = np.unique(key, axis=0, return_inverse=True)  # rows in lexicographic order: the order of times
    return Pieces(sizes, outer, inner, piece.reshape(-1).astype(np.int64))


Rectangle = tuple[int, int, int, int, int]
"""Piece, first and last outer iterator, first and last inner one."""


def rectangles(found: Pieces) -> list[Rectangle]:
    """Every piece as rectangles that hold each of its points once, the pieces in their order: runs of inner iterators,
    one above the other where they are alike."""
    order = np.lexsort((found.inner, found.outer, found.piece))
    points = zip(*(a[order].tolist() for a in (found.piece, found.outer, found.inner)), strict=True)
    runs: list[Rectangle] = []
    number = count()
    for (piece, outer, _), run in groupby(points, lambda p: (p[0], p[1], p[2] - next(number))):
        inner = [p[2] for p in run]
        runs.append((piece, outer, outer, inner[0], inner[-1]))
    made: list[Rectangle] = []
    for piece, outer, _, left, right in sorted(runs, key=lambda r: (r[0], r[3], r[4], r[1])):
        if made and made[-1][0] == piece and made[-1][2:] == (outer - 1, left, right):
            made[-1] = (piece, made[-1][1], outer, left, right)
        else:
            made.append((piece, outer, outer, left, right))
    return made


def _fitting(program: Program, schedule: Schedule, statement: Statement, value: int) -> Pieces | None:
    """The pieces at one value of all sizes, if there are any and not too many points or rectangles."""
    found = pieces(program, schedule, statement, dict.fromkeys(program.sizes, value))
    return found if found is not None and 0 < len(rectangles(found)) <= MOST_RECTANGLES else None


def _tile_loops(schedule: Schedule, statement: str) -> tuple[str, ...]:
    """The first loops next to one another around a statement that count tiles."""
    found: list[str] = []
    for nest in schedule.loops_of(statement):
        if counts_tiles(nest.row[statement]):
            found.append(nest.name)
        elif found:
            break
    return tuple(found)


def _key(loops: tuple[Nest, ...], statement: str) -> list[Affine]:
    """The rows that the points of one piece share."""
    rows = [nest.row[statement] for nest in loops]
    tiles = [counts_tiles(row) for row in rows]
    if not any(tiles):
        return rows
    first = tiles.index(True)
    end = next((k for k in range(first, len(rows)) if not tiles[k]), len(rows))
    return rows[:end]


def _points(program: Program, statement: Statement, sizes: Sizes) -> tuple[Ints, Ints] | None:
    """Both iterators of all points, by outer and then inner; None where the loops run more than MOST_POINTS."""
    loops = {n.name: n for n in program.loops}
    outer, inner = (loops[name] for name in statement.loops)
    low, high = _bounds(outer, sizes)
    if high - low > MOST_POINTS:
        return None
    first = np.arange(int(low), int(high), dtype=np.int64)
    low, high = (np.broadcast_to(b, first.shape) for b in _bounds(inner, {**sizes, outer.iterator: first}))
    lengths = np.maximum(high - low, 0)
    if lengths.sum() > MOST_POINTS:
        return None
    a = np.repeat(first, lengths)
    b = np.arange(len(a), dtype=np.int64) - np.repeat(np.cumsum(lengths) - lengths - low, lengths)
    values = {**sizes, outer.iterator: a, inner.iterator: b}
    inside = np.ones(a.shape, bool)  # what guards leave out
    for constraint in statement.constraints:
        inside &= np.broadcast_to(np.asarray(form(constraint).at(values)) >= 0, a.shape)
    return a[inside], b[inside]


def _bounds(loop: Loop, values: Mapping[str, int | Ints]) -> tuple[Ints, Ints]:
    """Where a loop begins, and the number after its last."""
    low = reduce(np.maximum, (np.asarray(form(b).at(values), np.int64) for b in loop.lower))
    high = reduce(np.minimum, (np.asarray(form(b).at(values), np.int64) for b in loop.upper))
    return low, high


def _tile(rectangle: Rectangle, found: Pieces, names: tuple[str, str], what: str) -> Tile:
    """A rectangle; both axes begin at the least iterator where that is below 0."""
    piece, bottom, top, left, right = rectangle
    up, across = (min(0, int(a.min())) for a in (found.outer, found.inner))
    spans = (_span(n, *ends) for n, ends in zip(names, ((bottom, top), (left, right)), strict=True))
    return Tile(
        left=left - across,
        right=right + 1 - across,
        bottom=bottom - up,
        top=top + 1 - up,
        label=str(piece + 1),
        level=(piece + 1) / found.count,
        note=f"{what} {piece + 1} of {found.count}: {', '.join(spans)}",
    )


def _span(name: str, first: int, last: int) -> str:
    return f"{name} = {first}" if first == last else f"{name} from {first} to {last}"
