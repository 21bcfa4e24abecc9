"""A schedule as a tree of loops: what each loop counts for each statement below it, and in which order things stand.

A loop has a *row* for every statement below it: an affine form in the iterators of the statement's own domain, in
which ``floor((form)/n)`` may stand like a name (a tile). Statements run in the order of their *times*: the positions
and rows along the way from the root, compared lexicographically. The tree is plain frozen data; isl is not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from evaluators.polyhedral.program import Affine, Loop, Program, Statement

Mark = Literal["", "unroll", "vector", "parallel"]


@dataclass(frozen=True)
class Leaf:
    """A statement."""

    statement: str


@dataclass(frozen=True)
class Nest:
    """A loop; ``rows`` has each statement below it, in the order of the tree. ``factor``: how often the body is
    repeated, all of the loop where its mark is "unroll"; 0: not at all."""

    name: str
    rows: tuple[tuple[str, Affine], ...]
    body: tuple[Node, ...]
    mark: Mark = ""
    factor: int = 0

    @cached_property
    def row(self) -> dict[str, Affine]:
        return dict(self.rows)


Node = Leaf | Nest


@dataclass(frozen=True)
class Schedule:
    """The order in which a program runs."""

    body: tuple[Node, ...]

    @cached_property
    def nests(self) -> dict[str, Nest]:
        """Loops by name, outer ones first."""
        return {n.name: n for n in _walk(self.body) if isinstance(n, Nest)}

    @cached_property
    def statements(self) -> tuple[str, ...]:
        return statements(self.body)

    @cached_property
    def paths(self) -> dict[str, tuple[tuple[int, Nest | None], ...]]:
        """For each statement the steps from the root: position, and the loop there (None: the statement itself)."""
        found: dict[str, tuple[tuple[int, Nest | None], ...]] = {}

        def visit(nodes: tuple[Node, ...], way: tuple[tuple[int, Nest | None], ...]) -> None:
            for position, node in enumerate(nodes):
                if isinstance(node, Leaf):
                    found[node.statement] = (*way, (position, None))
                else:
                    visit(node.body, (*way, (position, node)))

        visit(self.body, ())
        return found

    @cached_property
    def around(self) -> dict[str, tuple[str, ...]]:
        """For each loop the loops around it, outer to inner."""
        found: dict[str, tuple[str, ...]] = {}

        def visit(nodes: tuple[Node, ...], way: tuple[str, ...]) -> None:
            for node in nodes:
                if isinstance(node, Nest):
                    found[node.name] = way
                    visit(node.body, (*way, node.name))

        visit(self.body, ())
        return found

    def loops_of(self, statement: str) -> tuple[Nest, ...]:
        """The loops around a statement, outer to inner."""
        return tuple(nest for _, nest in self.paths[statement] if nest is not None)

    @cached_property
    def depth(self) -> int:
        return max((len(self.loops_of(s)) for s in self.statements), default=0)

    def own_time(self, statement: str) -> tuple[Affine, ...]:
        """Position, row, position, row, …, position."""
        found: list[Affine] = []
        for position, nest in self.paths[statement]:
            found.append(Affine((), position))
            if nest is not None:
                found.append(nest.row[statement])
        return tuple(found)

    def time(self, statement: str) -> tuple[Affine, ...]:
        """The same, padded with zeros to ``2 * depth + 1`` as the times of all statements are."""
        found = self.own_time(statement)
        return (*found, *[Affine(())] * (2 * self.depth + 1 - len(found)))

    def fresh(self, wanted: str) -> str:
        """A name for a new loop: the wanted one, or with the first number from 2 that is free."""
        number, name = 1, wanted
        while name in self.nests:
            number += 1
            name = f"{wanted}{number}"
        return name

    def edit(self, name: str, change: Callable[[Nest], tuple[Node, ...]]) -> Schedule:
        """The loop of this name replaced by what ``change`` makes of it."""

        def visit(nodes: tuple[Node, ...]) -> tuple[Node, ...]:
            made: list[Node] = []
            for node in nodes:
                if isinstance(node, Leaf):
                    made.append(node)
                elif node.name == name:
                    made += change(node)
                else:
                    made.append(replace(node, body=visit(node.body)))
            return tuple(made)

        return Schedule(visit(self.body))

    def siblings(self, name: str) -> tuple[Node, ...]:
        """The sequence in which the loop of this name stands."""
        around = self.around[name]
        return self.nests[around[-1]].body if around else self.body

    def chain(self, name: str) -> tuple[Nest, ...]:
        """The loop and those below it as long as a loop holds nothing but one more loop."""
        nest = self.nests[name]
        found = [nest]
        while len(nest.body) == 1 and isinstance(nest.body[0], Nest):
            nest = nest.body[0]
            found.append(nest)
        return tuple(found)


def original(program: Program) -> Schedule:
    """The program in the order of its text."""

    def visit(nodes: tuple[Loop | Statement, ...]) -> tuple[Node, ...]:
        made: list[Node] = []
        for node in nodes:
            if isinstance(node, Statement):
                made.append(Leaf(node.name))
            elif body := visit(node.body):
                row = Affine(((node.iterator, 1),))
                made.append(Nest(node.name, tuple((s, row) for s in statements(body)), body))
        return tuple(made)

    return Schedule(visit(program.body))


def statements(nodes: tuple[Node, ...]) -> tuple[str, ...]:
    """Names of the statements in a sequence, in the order of the tree."""
    return tuple(n.statement for n in _walk(nodes) if isinstance(n, Leaf))


def tile_row(row: Affine, size: int) -> Affine:
    """The number of the tile of ``size`` in which a row's value lies."""
    return Affine(((f"floor(({row})/{size})", 1),))


def _walk(nodes: tuple[Node, ...]) -> Iterator[Node]:
    for node in nodes:
        yield node
        if isinstance(node, Nest):
            yield from _walk(node.body)
