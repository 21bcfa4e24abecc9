"""Transforms of a schedule as frozen data: read from plain tuples, applied to a tree, never executed.

A transform that names what is not there, or whose numbers are out of bounds, raises :class:`Meaningless` with a
sentence for whoever proposed it. Whether the schedule that it makes is legal is proved elsewhere
(:mod:`evaluators.polyhedral.dependences`).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, get_type_hints

from evaluators.polyhedral.program import Affine, Program
from evaluators.polyhedral.tree import Leaf, Nest, Node, Schedule, statements, tile_row

MOST_TRANSFORMS = 64
MOST_COEFFICIENT = 8
MOST_SHIFT = 64
MOST_TILE = 4096
MOST_UNROLLED = 64
"""Copies of a body that all unrolling around it makes."""
MOST_DEPTH = 12
MOST_NAME = 40


class Meaningless(Exception):
    """A transform that cannot be applied; the text says why."""


@dataclass(frozen=True)
class Fuse:
    """``first`` and ``second``, the next loop after it in the same sequence, become one loop named ``first``."""

    first: str
    second: str

    def apply(self, schedule: Schedule, program: Program) -> Schedule:  # noqa: ARG002
        a, b = _nest(schedule, self.first), _nest(schedule, self.second)
        places = [n.name if isinstance(n, Nest) else "" for n in schedule.siblings(a.name)]
        if b.name not in places or places.index(b.name) != places.index(a.name) + 1:
            raise Meaningless(f"{b.name} is not the next loop after {a.name}")
        fused = replace(a, rows=a.rows + b.rows, body=a.body + b.body, mark="", factor=0)
        return schedule.edit(b.name, lambda _: ()).edit(a.name, lambda _: (fused,))


@dataclass(frozen=True)
class Distribute:
    """``loop`` keeps the first ``keep`` things of its body; a new loop after it, named like it with a number, has the
    others."""

    loop: str
    keep: int

    def apply(self, schedule: Schedule, program: Program) -> Schedule:  # noqa: ARG002
        nest = _nest(schedule, self.loop)
        if not 1 <= self.keep < len(nest.body):
            raise Meaningless(f"{nest.name} has {len(nest.body)} parts; it cannot keep {self.keep}")
        parts = nest.body[: self.keep], nest.body[self.keep :]
        names = nest.name, schedule.fresh(nest.name)
        made = tuple(
            replace(
                nest,
                name=name,
                rows=tuple((s, nest.row[s]) for s in statements(part)),
                body=part,
                mark="",
                factor=0,
            )
            for name, part in zip(names, parts, strict=True)
        )
        return schedule.edit(nest.name, lambda _: made)


@dataclass(frozen=True)
class Interchange:
    """Loops of which each holds nothing but the next, in another order: ``loops``, outermost first."""

    loops: tuple[str, ...]

    def apply(self, schedule: Schedule, program: Program) -> Schedule:  # noqa: ARG002
        band = _band(schedule, self.loops)
        by_name = {n.name: n for n in band}
        return schedule.edit(
            band[0].name, lambda _: (_nested([by_name[n] for n in self.loops], band[-1].body),)
        )


@dataclass(frozen=True)
class Skew:
    """The values of ``loop`` plus ``factor`` times those of ``by``, a loop around it or one that it holds alone."""

    loop: str
    by: str
    factor: int

    def apply(self, schedule: Schedule, program: Program) -> Schedule:  # noqa: ARG002
        nest, by = _nest(schedule, self.loop), _nest(schedule, self.by)
        if not 1 <= abs(self.factor) <= MOST_COEFFICIENT:
            raise Meaningless(f"a skew by {self.factor}; expected 1 to {MOST_COEFFICIENT}, or negative")
        if nest.name == by.name or not set(nest.row) <= set(by.row):
            raise Meaningless(f"{by.name} does not count for all that {nest.name} holds")
        rows = tuple((s, row.plus(by.row[s], self.factor)) for s, row in nest.rows)
        return _with_rows(schedule, nest, rows)


@dataclass(frozen=True)
class Reverse:
    """``loop`` backwards."""

    loop: str

    def apply(self, schedule: Schedule, program: Program) -> Schedule:  # noqa: ARG002
        nest = _nest(schedule, self.loop)
        return _with_rows(schedule, nest, tuple((s, row.times(-1)) for s, row in nest.rows))


@dataclass(frozen=True)
class Shift:
    """``statement`` runs ``by`` iterations of ``loop`` later."""

    statement: str
    loop: str
    by: int

    def apply(self, schedule: Schedule, program: Program) -> Schedule:  # noqa: ARG002
        nest = _nest(schedule, self.loop)
        if self.statement not in nest.row:
            raise Meaningless(f"{nest.name} does not hold a statement {self.statement[:MOST_NAME]!r}")
        if not 1 <= abs(self.by) <= MOST_SHIFT:
            raise Meaningless(f"a shift by {self.by}; expected 1 to {MOST_SHIFT}, or negative")
        shift = Affine((), self.by)
        return _with_rows(
            schedule,
            nest,
            tuple((s, row.plus(shift) if s == self.statement else row) for s, row in nest.rows),
        )


@dataclass(frozen=True)
class Strip:
    """``loop`` in strips of ``size``: a new loop around it, named like it with ``.t``, counts them."""

    loop: str
    size: int

    def apply(self, schedule: Schedule, program: Program) -> Schedule:
        return Tile((self.loop,), (self.size,)).apply(schedule, program)


@dataclass(frozen=True)
class Tile:
    """Loops of which each holds nothing but the next, in tiles of ``sizes``: new loops around all of them, named like
    them with ``.t``, count the tiles."""

    loops: tuple[str, ...]
    sizes: tuple[int, ...]

    def apply(self, schedule: Schedule, program: Program) -> Schedule:  # noqa: ARG002
        band = _band(schedule, self.loops)
        sizes = _sizes(self.loops, self.sizes, MOST_TILE)
        names: list[str] = []
        for loop in self.loops:
            names.append(schedule.fresh(f"{loop}.t"))
        by_name = {n.name: n for n in band}
        tiles = [
            Nest(name, tuple((s, tile_row(row, sizes[loop])) for s, row in by_name[loop].rows), ())
            for name, loop in zip(names, self.loops, strict=True)
        ]
        points = [by_name[loop] for loop in self.loops]
        return _bounded(schedule.edit(band[0].name, lambda _: (_nested([*tiles, *points], band[-1].body),)))


@dataclass(frozen=True)
class RegisterTile:
    """``loops`` in tiles of ``factors`` whose points are written out innermost, below every other loop that the chain
    of loops holds (unroll and jam). The loops that count the tiles take the places of ``loops``, named with ``.r``."""

    loops: tuple[str, ...]
    factors: tuple[int, ...]

    def apply(self, schedule: Schedule, program: Program) -> Schedule:  # noqa: ARG002
        factors = _sizes(self.loops, self.factors, MOST_UNROLLED)
        for loop in self.loops:
            _nest(schedule, loop)
        chain = schedule.chain(min(self.loops, key=lambda n: len(schedule.around[n])))
        if any(isinstance(n, Nest) for n in chain[-1].body):
            raise Meaningless(f"{chain[-1].name} holds more than statements")
        if missing := set(self.loops) - {n.name for n in chain}:
            raise Meaningless(f"{min(missing)} is not in the chain of loops from {chain[0].name}")
        inner: list[Nest] = []
        outer: list[Nest] = []
        for nest in chain:
            if nest.name not in factors:
                outer.append(nest)
                continue
            factor = factors[nest.name]
            tiles = tuple((s, tile_row(row, factor)) for s, row in nest.rows)
            points = tuple(
                (s, row.plus(tile, -factor)) for (s, row), (_, tile) in zip(nest.rows, tiles, strict=True)
            )
            outer.append(replace(nest, name=schedule.fresh(f"{nest.name}.r"), rows=tiles))
            inner.append(Nest(nest.name, points, (), "unroll", factor))
        return _bounded(schedule.edit(chain[0].name, lambda _: (_nested([*outer, *inner], chain[-1].body),)))


@dataclass(frozen=True)
class Unroll:
    """The compiler is told to repeat the body of ``loop``, which holds statements alone, ``factor`` times."""

    loop: str
    factor: int

    def apply(self, schedule: Schedule, program: Program) -> Schedule:  # noqa: ARG002
        nest = _innermost(schedule, self.loop)
        if not 2 <= self.factor <= MOST_UNROLLED:
            raise Meaningless(f"unrolled {self.factor} times; expected 2 to {MOST_UNROLLED}")
        return _bounded(schedule.edit(nest.name, lambda n: (replace(n, factor=self.factor),)))


@dataclass(frozen=True)
class Vectorise:
    """``loop``, below which all is written out, has independent iterations, and the compiler is told so."""

    loop: str

    def apply(self, schedule: Schedule, program: Program) -> Schedule:  # noqa: ARG002
        nest = _nest(schedule, self.loop)
        inner = schedule.chain(nest.name)[1:]
        if any(n.mark != "unroll" for n in inner) or any(
            isinstance(n, Nest) for n in (inner[-1] if inner else nest).body
        ):
            raise Meaningless(f"{nest.name} holds loops that are not written out")
        return schedule.edit(nest.name, lambda n: (replace(n, mark="vector"),))


@dataclass(frozen=True)
class Parallel:
    """``loop`` has independent iterations and is shared among the threads, where there are several."""

    loop: str

    def apply(self, schedule: Schedule, program: Program) -> Schedule:  # noqa: ARG002
        nest = _nest(schedule, self.loop)
        return schedule.edit(nest.name, lambda n: (replace(n, mark="parallel"),))


@dataclass(frozen=True)
class Place:
    """Where a statement goes in a new nest: ``rows`` in its own iterators (coefficients, then a constant), and its
    ``positions``, one before each row and one after the last."""

    statement: str
    rows: tuple[tuple[int, ...], ...]
    positions: tuple[int, ...]


@dataclass(frozen=True)
class AffineSchedule:
    """New nests for some statements: all those of one or of several consecutive things in the outermost sequence.
    Statements with the same positions before a row share the loop of that row. The loops are named ``t0``, ``t1``, …,
    leaving out names that are taken."""

    places: tuple[Place, ...]

    def apply(self, schedule: Schedule, program: Program) -> Schedule:
        given = {p.statement: p for p in self.places}
        if len(given) < len(self.places):
            raise Meaningless("a statement is placed twice")
        known = {s.name: s for s in program.statements}
        if unknown := set(given) - set(known):
            raise Meaningless(f"there is no statement {min(unknown)[:MOST_NAME]!r}")
        touched = [k for k, node in enumerate(schedule.body) if set(statements((node,))) & set(given)]
        whole = statements(tuple(schedule.body[k] for k in touched))
        if set(whole) != set(given) or not touched or touched[-1] - touched[0] + 1 != len(touched):
            raise Meaningless("an affine schedule takes all statements of consecutive outermost nests")
        for place in self.places:
            _check_place(place, known[place.statement].iterators)
        forms = {
            p.statement: [
                Affine.of(dict(zip(known[p.statement].iterators, row, strict=False)), row[-1])
                for row in p.rows
            ]
            for p in self.places
        }
        names = itertools.count()

        def fresh() -> str:
            return next(name for name in (f"t{n}" for n in names) if name not in schedule.nests)

        made = _placed([given[s] for s in whole], forms, 0, fresh)
        return _bounded(Schedule((*schedule.body[: touched[0]], *made, *schedule.body[touched[-1] + 1 :])))


Transform = (
    Fuse | Distribute | Interchange | Skew | Reverse | Shift | Strip | Tile | RegisterTile | Unroll | Vectorise
    | Parallel | AffineSchedule
)  # fmt: skip

NAMES: dict[str, type[Transform]] = {
    "fuse": Fuse, "distribute": Distribute, "interchange": Interchange, "skew": Skew, "reverse": Reverse,
    "shift": Shift, "strip": Strip, "tile": Tile, "register_tile": RegisterTile, "unroll": Unroll,
    "vectorise": Vectorise, "parallel": Parallel, "affine": AffineSchedule,
}  # fmt: skip


def read(given: Any) -> tuple[Transform, ...]:
    """Transforms from plain lists: ``["tile", ["i", "j"], [32, 32]]`` is the name and then the fields in order.

    Raises Meaningless; nothing else, whatever is given."""
    if not isinstance(given, list | tuple) or len(given) > MOST_TRANSFORMS:
        raise Meaningless(f"expected a list of at most {MOST_TRANSFORMS} transforms")
    return tuple(_read(number, one) for number, one in enumerate(given))


def plain(transforms: Sequence[Transform]) -> list[list[Any]]:
    """The lists that :func:`read` takes."""
    words = {kind: name for name, kind in NAMES.items()}

    def value(given: Any) -> Any:
        if isinstance(given, Place):
            return [given.statement, value(given.rows), value(given.positions)]
        return [value(v) for v in given] if isinstance(given, tuple) else given

    return [[words[type(t)], *(value(getattr(t, f.name)) for f in fields(t))] for t in transforms]


def _read(number: int, given: Any) -> Transform:
    if not isinstance(given, list | tuple) or not given or given[0] not in list(NAMES):
        raise Meaningless(f"transform {number}: expected a name ({', '.join(NAMES)}) and its values")
    kind = NAMES[given[0]]
    hints = get_type_hints(kind)
    wanted = [f.name for f in fields(kind)]
    if len(given) - 1 != len(wanted):
        raise Meaningless(f"transform {number}: {given[0]} takes {', '.join(wanted)}")
    try:
        values = [_value(hints[name], value) for name, value in zip(wanted, given[1:], strict=True)]
    except (TypeError, ValueError):
        raise Meaningless(
            f"transform {number}: {given[0]} takes {', '.join(wanted)} of other types"
        ) from None
    return kind(*values)


def _value(hint: Any, given: Any) -> Any:
    """A value of the field's type. Raises TypeError or ValueError."""
    if hint is str:
        if not isinstance(given, str) or len(given) > MOST_NAME or not given.isprintable():
            raise TypeError
        return given
    if hint is int:
        if isinstance(given, bool) or not isinstance(given, int) or abs(given) > 10**6:
            raise TypeError
        return given
    if hint is Place:
        statement, rows, positions = given
        return Place(
            _value(str, statement),
            _value(tuple[tuple[int, ...], ...], rows),
            _value(tuple[int, ...], positions),
        )
    (inner, _) = hint.__args__
    if not isinstance(given, list | tuple) or len(given) > MOST_TRANSFORMS:
        raise TypeError
    return tuple(_value(inner, one) for one in given)


def _nest(schedule: Schedule, name: str) -> Nest:
    if name not in schedule.nests:
        raise Meaningless(f"there is no loop {name[:MOST_NAME]!r}; there are {', '.join(schedule.nests)}")
    return schedule.nests[name]


def _innermost(schedule: Schedule, name: str) -> Nest:
    nest = _nest(schedule, name)
    if any(isinstance(n, Nest) for n in nest.body):
        raise Meaningless(f"{name} holds other loops")
    return nest


def _band(schedule: Schedule, names: tuple[str, ...]) -> tuple[Nest, ...]:
    """The loops of these names, outer to inner, each of which holds nothing but the next."""
    if not names or len(set(names)) < len(names):
        raise Meaningless("expected the names of different loops")
    for name in names:
        _nest(schedule, name)
    outer = min(names, key=lambda n: len(schedule.around[n]))
    chain = schedule.chain(outer)[: len(names)]
    if {n.name for n in chain} != set(names):
        raise Meaningless(f"{', '.join(names)} are not loops of which each holds nothing but the next")
    return chain


def _sizes(loops: tuple[str, ...], sizes: tuple[int, ...], most: int) -> dict[str, int]:
    if not loops or len(loops) != len(sizes) or len(set(loops)) < len(loops):
        raise Meaningless("expected as many sizes as different loops")
    if not all(1 <= s <= most for s in sizes):
        raise Meaningless(f"sizes go from 1 to {most}")
    return dict(zip(loops, sizes, strict=True))


def _nested(nests: Sequence[Nest], body: tuple[Node, ...]) -> Node:
    """Loops around a body, each holding nothing but the next; their rows are told of the body's statements only."""
    inside = statements(body)
    for nest in reversed(nests):
        body = (replace(nest, rows=tuple((s, nest.row[s]) for s in inside), body=body),)
    return body[0]


def _with_rows(schedule: Schedule, nest: Nest, rows: tuple[tuple[str, Affine], ...]) -> Schedule:
    if any(abs(c) > MOST_COEFFICIENT**2 for _, row in rows for _, c in row.terms):
        raise Meaningless(f"{nest.name} would count with a coefficient above {MOST_COEFFICIENT**2}")
    return schedule.edit(nest.name, lambda n: (replace(n, rows=rows),))


def _bounded(schedule: Schedule) -> Schedule:
    """The schedule, if it is not too deep and writes out not too much."""
    if schedule.depth > MOST_DEPTH:
        raise Meaningless(f"loops would be nested {schedule.depth} deep; {MOST_DEPTH} is the most")
    for statement in schedule.statements:
        if copies(schedule, statement) > MOST_UNROLLED:
            raise Meaningless(f"a body would be repeated more than {MOST_UNROLLED} times")
    return schedule


def copies(schedule: Schedule, statement: str) -> int:
    """How many copies of a statement unrolling makes, at most."""
    return math.prod(nest.factor or 1 for nest in schedule.loops_of(statement))


def _check_place(place: Place, iterators: tuple[str, ...]) -> None:
    width, name = len(iterators) + 1, place.statement
    if not len(iterators) <= len(place.rows) <= MOST_DEPTH or len(place.positions) != len(place.rows) + 1:
        raise Meaningless(f"{name} needs at least {len(iterators)} rows, and one position more than rows")
    for row in place.rows:
        if len(row) != width or any(abs(c) > MOST_COEFFICIENT for c in row[:-1]) or abs(row[-1]) > MOST_SHIFT:
            raise Meaningless(
                f"a row of {name} has {len(iterators)} coefficients from -{MOST_COEFFICIENT} to {MOST_COEFFICIENT} and "
                f"a constant of at most {MOST_SHIFT}"
            )
    if _rank([list(row[:-1]) for row in place.rows]) < len(iterators):
        raise Meaningless(f"the rows of {name} do not tell all of its iterations apart")


def _rank(rows: list[list[int]]) -> int:
    """Rank of an integer matrix, by elimination without fractions."""
    rank, width = 0, len(rows[0]) if rows else 0
    for column in range(width):
        pivot = next((k for k in range(rank, len(rows)) if rows[k][column]), None)
        if pivot is None:
            continue
        rows[rank], rows[pivot] = rows[pivot], rows[rank]
        for k in range(rank + 1, len(rows)):
            a, b = rows[rank][column], rows[k][column]
            rows[k] = [a * y - b * x for x, y in zip(rows[rank], rows[k], strict=True)]
        rank += 1
    return rank


def _placed(
    places: list[Place], forms: dict[str, list[Affine]], level: int, fresh: Callable[[], str]
) -> tuple[Node, ...]:
    """The sequence at one level: groups by position in order."""
    made: list[Node] = []
    for position in sorted({p.positions[level] for p in places}):
        group = [p for p in places if p.positions[level] == position]
        ends = [p for p in group if len(p.rows) == level]
        if ends and len(group) > 1:
            raise Meaningless(f"{group[0].statement} and {group[1].statement} have the same positions")
        if ends:
            made.append(Leaf(ends[0].statement))
            continue
        name = fresh()
        body = _placed(group, forms, level + 1, fresh)
        made.append(Nest(name, tuple((s, forms[s][level]) for s in statements(body)), body))
    return tuple(made)
