"""What the proposer knows about a value: rank, dtype, dimension, unit, sign, and what it counts or points at.

Dimensions are compared, never ordered: ``("n",)`` is the interface's, ``("sel", dim, tag)`` the part of ``dim`` that
the mask with this tag selects, so two selections by one mask have one length. A unit is a sorted tuple of
``(base, twice the exponent)``, so that a square root stays exact; ``None`` fits anything (literals, parameters).
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import NamedTuple

from evaluators.task import Value

Dim = tuple[Hashable, ...]
Unit = tuple[tuple[str, int], ...]
ANY, NONNEGATIVE, POSITIVE = 0, 1, 2


class Type(NamedTuple):
    """``rank`` 0 is a scalar, 1 an array; ``plain`` marks lists and ranges; ``indexes`` names the dimension that an
    integer points into, ``counts`` the one whose length it is; ``tag`` is the identity of a mask's current value."""

    rank: int
    dtype: str
    dim: Dim | None = None
    unit: Unit | None = ()
    sign: int = ANY
    indexes: Dim | None = None
    counts: Dim | None = None
    tag: Hashable = None
    plain: bool = False

    @property
    def numeric(self) -> bool:
        """Whether arithmetic on it means something: a quantity, no position and no truth value."""
        return self.dtype != "bool" and self.indexes is None and not self.plain


NUMBER = Type(0, "float", None, None)


def base(name: str) -> Unit:
    return ((name, 2),) if name else ()


def times(a: Unit | None, b: Unit | None, power: int = 1) -> Unit | None:
    """The unit of ``a * b**power``; a unit that fits anything counts as none."""
    if not b:
        return a
    if not a and power == 1:
        return b
    exponents = dict(a or ())
    for name, exponent in b:
        exponents[name] = exponents.get(name, 0) + power * exponent
    return tuple(sorted((name, e) for name, e in exponents.items() if e))


def root(a: Unit | None) -> Unit | None:
    if not a:
        return a
    return tuple((name, e // 2) for name, e in a) if all(e % 2 == 0 for _, e in a) else None


def shared(a: Unit | None, b: Unit | None) -> Unit | None:
    """The unit of ``a + b``: the one that is known; of two different ones the first."""
    return b if a is None else a


def alike(a: Unit | None, b: Unit | None) -> bool:
    return a is None or b is None or a == b


def of_value(value: Value) -> Type | None:
    """The type of an argument of the interface; None for an object, which no edit builds from."""
    if value.dtype == "object":
        return None
    sign = ANY if value.low is None else POSITIVE if value.low > 0 else NONNEGATIVE if value.low == 0 else ANY
    dtype = {"int64": "int", "float64": "float", "bool": "bool"}[value.dtype]
    if value.kind == "scalar":
        return Type(0, dtype, None, base(value.unit), sign)
    dim: Dim = (value.length,) if value.length else ("of", value.name)
    if value.kind == "mask":
        return Type(1, "bool", dim, (), tag=("argument", value.name))
    if value.kind == "permutation":
        return Type(1, "int", dim, (), NONNEGATIVE, indexes=dim)
    return Type(1, dtype, dim, base(value.unit), sign)
