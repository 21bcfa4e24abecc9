"""Affine programs as frozen data: loops, statements, arrays, and what each statement computes.

Everything is an integer, a float or a name that :mod:`evaluators.polyhedral.language` has checked, so that isl and C
texts can be built from it without quoting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Fill = Literal["uniform", "dominant", "small", "letters"]
"""What an array holds at first: uniform in (0, 1); the same with its length added on the diagonal; uniform in
(0, 1 / length); integers from 0 to 3."""


@dataclass(frozen=True)
class Affine:
    """``sum(coefficient * name) + constant``; the names are iterators and sizes, sorted, no coefficient is 0."""

    terms: tuple[tuple[str, int], ...]
    constant: int = 0

    @classmethod
    def of(cls, terms: Mapping[str, int], constant: int = 0) -> Affine:
        return cls(tuple(sorted((n, c) for n, c in terms.items() if c)), constant)

    def plus(self, other: Affine, factor: int = 1) -> Affine:
        """``self + factor * other``."""
        terms = dict(self.terms)
        for name, coefficient in other.terms:
            terms[name] = terms.get(name, 0) + factor * coefficient
        return Affine.of(terms, self.constant + factor * other.constant)

    def times(self, factor: int) -> Affine:
        return Affine((), 0).plus(self, factor)

    def at(self, values: Mapping[str, int]) -> int:
        """Its value where every name has one."""
        return self.constant + sum(c * values[n] for n, c in self.terms)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(n for n, _ in self.terms)

    def __str__(self) -> str:
        """As isl and C read it."""
        parts = [f"{c}*{n}" if abs(c) != 1 else ("-" + n if c < 0 else n) for n, c in self.terms]
        if self.constant or not parts:
            parts.append(str(self.constant))
        return " + ".join(parts).replace("+ -", "- ")


@dataclass(frozen=True)
class Array:
    """Doubles in row-major order; ``shape`` are affine in the sizes."""

    name: str
    shape: tuple[Affine, ...]
    fill: Fill = "uniform"


@dataclass(frozen=True)
class Access:
    """One element of an array, by subscripts affine in iterators and sizes."""

    array: str
    subscripts: tuple[Affine, ...]


@dataclass(frozen=True)
class Expression:
    """``kind``: "number" (``value``), "read" (``access``), "index" (``affine`` as a double), or an operation on
    ``arguments``: "+", "-", "*", "/", "neg", "sqrt", "exp", "abs", "min", "max", "if" (condition, then, else), a
    comparison."""

    kind: str
    arguments: tuple[Expression, ...] = ()
    value: float = 0.0
    access: Access | None = None
    affine: Affine | None = None

    def walk(self) -> Iterator[Expression]:
        yield self
        for argument in self.arguments:
            yield from argument.walk()


@dataclass(frozen=True)
class Statement:
    """``write = value``, for every point of the domain: ``constraints`` are affine forms that are at least 0."""

    name: str
    loops: tuple[str, ...]
    """Names of the loops around it, outer to inner; ``iterators`` are their iterators."""
    iterators: tuple[str, ...]
    constraints: tuple[Affine, ...]
    write: Access
    value: Expression

    @cached_property
    def reads(self) -> tuple[Access, ...]:
        """Each access once, in the order of the text."""
        return tuple(dict.fromkeys(e.access for e in self.value.walk() if e.access is not None))

    @cached_property
    def operations(self) -> int:
        """Arithmetic operations of one instance."""
        return sum(e.kind not in ("number", "read", "index") for e in self.value.walk())


@dataclass(frozen=True)
class Loop:
    """A loop of the text. ``name`` is unique in the program, ``iterator`` need not be. It runs from the largest of
    ``lower`` to below the smallest of ``upper``."""

    name: str
    iterator: str
    lower: tuple[Affine, ...]
    upper: tuple[Affine, ...]
    body: tuple[Loop | Statement, ...]


Sizes = dict[str, int]


@dataclass(frozen=True)
class Program:
    """``scales``: values of each size, small to large; all sizes have equally many."""

    name: str
    sizes: tuple[str, ...]
    scales: tuple[tuple[int, ...], ...]
    arrays: tuple[Array, ...]
    body: tuple[Loop | Statement, ...]
    text: str = ""

    @cached_property
    def statements(self) -> tuple[Statement, ...]:
        """In the order of the text."""
        return tuple(n for n in self.walk() if isinstance(n, Statement))

    @cached_property
    def loops(self) -> tuple[Loop, ...]:
        return tuple(n for n in self.walk() if isinstance(n, Loop))

    @cached_property
    def array(self) -> Mapping[str, Array]:
        return {a.name: a for a in self.arrays}

    @cached_property
    def written(self) -> tuple[str, ...]:
        """Arrays that the program changes, in the order of their declaration."""
        writes = {s.write.array for s in self.statements}
        return tuple(a.name for a in self.arrays if a.name in writes)

    def at(self, scale: int) -> Sizes:
        """The sizes at a scale; the last one stands for all larger numbers."""
        return {n: s[min(scale, len(s) - 1)] for n, s in zip(self.sizes, self.scales, strict=True)}

    def shape(self, array: str, sizes: Mapping[str, int]) -> tuple[int, ...]:
        return tuple(a.at(sizes) for a in self.array[array].shape)

    def walk(self) -> Iterator[Loop | Statement]:
        """Loops and statements in the order of the text, a loop before its body."""
        yield from _walk(self.body)


def _walk(nodes: tuple[Loop | Statement, ...]) -> Iterator[Loop | Statement]:
    for node in nodes:
        yield node
        if isinstance(node, Loop):
            yield from _walk(node.body)
