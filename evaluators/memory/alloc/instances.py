"""Planted instances whose least height is known: a rectangle of capacity × time is cut into buffers, then loosened.

Cuts are of the guillotine kind, all the way through a piece, at an address or at a time, so that the pieces pack the
rectangle without a hole. Then lifetimes and sizes shrink, except that what is alive at one moment, the peak, keeps its
size and stays alive there: the pieces still fit where they were cut, and the peak still fills the capacity. So the
optimum is the capacity, which is also the lower bound. Families differ in where and how they are cut:

- ``mixed``: either way, anywhere in a large piece: sizes and lifetimes of all magnitudes;
- ``tiles``: near the middle of a large piece: much alike;
- ``weights``: some thin buffers live for most of the time, below many short ones;
- ``training``: nested lifetimes as of a forward and a backward pass, each level with what lives shortly beside it;
- ``powers``: addresses are cut in the middle: sizes are the capacity over powers of two;
- ``slivers``: any piece is cut as likely as a large one: a few large buffers and many small ones;
- ``phases`` (only in the final split): times at which nearly all buffers are exchanged, and some that cross them;
- ``tight`` (only in the final split): nothing is loosened, every moment is a peak.

Arithmetic is on whole numbers from raw bits (:class:`evaluators.plain.Draw`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from evaluators.memory.buffers import Buffers, Ints
from evaluators.plain import Draw

CAPACITY = 2_000_000
"""Bytes. No multiple of 256, so that its bytes are met in no payload by chance."""
HORIZON = 10_000
GRAIN = 1_000
"""Addresses of cuts are multiples of it, in bytes."""
LEAST_POWER = CAPACITY // 2**7
"""The least size of the family ``powers``: sizes are this times a power of two."""
TRIED = 3
"""Pieces of which the one of the largest area is cut."""


@dataclass(frozen=True)
class Spec:
    """Names one generated instance of ``n`` buffers."""

    family: str
    n: int
    seed: int

    @property
    def id(self) -> str:
        return f"{self.family}-n{self.n}-s{self.seed}"


class Piece(NamedTuple):
    """A part of the rectangle: [lower, upper) in time, [base, top) in addresses."""

    lower: int
    upper: int
    base: int
    top: int

    @property
    def area(self) -> int:
        return (self.upper - self.lower) * (self.top - self.base)


class Cuts(NamedTuple):
    """How a family cuts: ``timewise`` of 100 cuts are at a time; a cut leaves at least ``middle`` percent on either
    side; ``largest``: the largest of a few pieces is cut, else any."""

    timewise: int
    middle: int
    largest: bool = True


WHOLE = Piece(0, HORIZON, 0, CAPACITY)


def generate(spec: Spec) -> Buffers:
    """The buffers, in an order that tells nothing. Their optimum is :data:`CAPACITY`."""
    return planted(spec)[0]


def planted(spec: Spec) -> tuple[Buffers, Ints]:
    """The buffers, and the offsets in bytes at which they were cut, int64[n]: an optimal placing."""
    draw = Draw(f"memory-alloc/{spec.id}")
    pieces = FAMILIES[spec.family](draw, spec.n)
    if spec.family not in UNLOOSENED:
        pieces = loosened(draw, pieces)
    order = np.argsort(draw.integers(0, 2**40, len(pieces)), kind="stable")
    lower, upper, base, top = np.array(pieces, np.int64)[order].T
    return Buffers(lower, upper, top - base), base


def loosened(draw: Draw, pieces: list[Piece]) -> list[Piece]:
    """Half of the pieces are made smaller by up to 15 %; those at the peak only in time, and not beyond the peak."""
    peak = _one(draw, HORIZON // 4, 3 * HORIZON // 4)
    found = []
    for piece in pieces:
        lower, upper, base, top = piece
        changed, late, early, low = draw.integers(0, 15, 4).tolist()
        if changed % 2:
            found.append(piece)
        elif lower <= peak < upper:
            later, earlier = late * (peak - lower) // 100, early * (upper - 1 - peak) // 100
            found.append(Piece(lower + later, upper - earlier, base, top))
        else:
            shorter = late * (upper - lower) // 100
            first = lower + shorter * (early % 2)
            found.append(Piece(first, first + upper - lower - shorter, base, top - low * (top - base) // 100))
    return found


def cut(draw: Draw, pieces: list[Piece], n: int, how: Cuts, grain: int = GRAIN) -> list[Piece]:
    """Cut until there are ``n`` pieces. A piece too thin for a cut is left and another one drawn; there must be some
    that are not, so ``n`` stays well below the grains of the pieces."""
    pieces = list(pieces)
    while len(pieces) < n:
        tried = draw.integers(0, len(pieces) - 1, TRIED if how.largest else 1).tolist()
        at = max(tried, key=lambda k: pieces[k].area)
        timewise = _one(draw, 0, 99) < how.timewise
        parts = _halves(draw, pieces[at], timewise, how.middle, 1 if timewise else grain)
        if parts is not None:
            pieces[at : at + 1] = parts
    return pieces


def _halves(draw: Draw, piece: Piece, timewise: bool, middle: int, grain: int) -> tuple[Piece, Piece] | None:
    """The two sides of a cut at a multiple of ``grain``; None where there is no room for one."""
    low, high = (piece.lower, piece.upper) if timewise else (piece.base, piece.top)
    steps = (high - low) // grain
    least = max(1, steps * middle // 100)
    if steps < 2:
        return None
    at = low + grain * _one(draw, least, steps - least)
    if timewise:
        return piece._replace(upper=at), piece._replace(lower=at)
    return piece._replace(top=at), piece._replace(base=at)


def _one(draw: Draw, low: int, high: int) -> int:
    return int(draw.integers(low, high, 1)[0])


def _mixed(draw: Draw, n: int) -> list[Piece]:
    return cut(draw, [WHOLE], n, Cuts(50, 5))


def _tiles(draw: Draw, n: int) -> list[Piece]:
    return cut(draw, [WHOLE], n, Cuts(55, 30))


def _slivers(draw: Draw, n: int) -> list[Piece]:
    return cut(draw, [WHOLE], n, Cuts(50, 10, largest=False))


def _tight(draw: Draw, n: int) -> list[Piece]:
    return cut(draw, [WHOLE], n, Cuts(45, 20))


def _weights(draw: Draw, n: int) -> list[Piece]:
    """Slabs of equal height, at the bottom of each some thin buffers that live for the whole time."""
    slabs, each = _one(draw, 3, 5), max(2, n // 40)
    rise = GRAIN * (CAPACITY // GRAIN // slabs)
    long: list[Piece] = []
    rest: list[Piece] = []
    for slab in range(slabs):
        top = CAPACITY if slab == slabs - 1 else (slab + 1) * rise
        base = slab * rise + GRAIN * _one(draw, 4 * each, rise // GRAIN // 3)
        long += cut(draw, [WHOLE._replace(base=slab * rise, top=base)], each, Cuts(0, 20))
        rest.append(WHOLE._replace(base=base, top=top))
    return long + cut(draw, rest, n - len(long), Cuts(60, 10))


def _training(draw: Draw, n: int) -> list[Piece]:
    """Pyramids beside one another: at each level a buffer that lives from its forward to its backward step, and above
    its ends what lives shortly."""
    pieces = []
    for inner in cut(draw, [WHOLE], _one(draw, 2, 3), Cuts(30, 30)):
        for left in range(max(4, n // 14), 1, -1):
            rise = (inner.top - inner.base) // GRAIN
            step = (inner.upper - inner.lower) // (2 * left)
            if rise < 4 or step < 4:
                break
            base = inner.base + GRAIN * _one(draw, 1, max(1, 2 * rise // (left + 2)))
            first, last = (_one(draw, step // 2 + 1, 3 * step // 2) for _ in range(2))
            lower, upper = inner.lower + first, inner.upper - last
            pieces += [
                inner._replace(top=base),
                Piece(inner.lower, lower, base, inner.top),
                Piece(upper, inner.upper, base, inner.top),
            ]
            inner = Piece(lower, upper, base, inner.top)
        pieces.append(inner)
    return cut(draw, pieces, n, Cuts(35, 10))


def _powers(draw: Draw, n: int) -> list[Piece]:
    """Addresses are cut in the middle only, times anywhere."""
    pieces = [WHOLE]
    while len(pieces) < n:
        at = max(draw.integers(0, len(pieces) - 1, TRIED).tolist(), key=lambda k: pieces[k].area)
        timewise = _one(draw, 0, 99) < 50
        parts = _halves(draw, pieces[at], timewise, 10 if timewise else 50, 1 if timewise else LEAST_POWER)
        if parts is not None:
            pieces[at : at + 1] = parts
    return pieces


def _phases(draw: Draw, n: int) -> list[Piece]:
    """A slab of buffers that cross, and above it phases, each cut on its own."""
    low, high = WHOLE._replace(top=CAPACITY // 4), WHOLE._replace(base=CAPACITY // 4)
    crossing = cut(draw, [low], n // 5, Cuts(35, 15))
    phases = cut(draw, [high], _one(draw, 3, 6), Cuts(100, 20))
    return crossing + cut(draw, phases, n - len(crossing), Cuts(35, 10))


FAMILIES: dict[str, Callable[[Draw, int], list[Piece]]] = {
    "mixed": _mixed,
    "tiles": _tiles,
    "weights": _weights,
    "training": _training,
    "powers": _powers,
    "slivers": _slivers,
    "phases": _phases,
    "tight": _tight,
}
UNLOOSENED = ("tight",)
SEARCHED = ("mixed", "tiles", "weights", "training", "powers", "slivers")
"""The families of screen, search and gate."""
