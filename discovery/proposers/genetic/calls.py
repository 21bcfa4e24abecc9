"""Result types of the calls that the interpreter knows: numpy functions, array methods, builtins."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from discovery.proposers.genetic.types import (
    ANY,
    NONNEGATIVE,
    POSITIVE,
    Dim,
    Type,
    root,
    shared,
    times,
)

AGGREGATES = frozenset(["mean", "sum", "max", "min", "amax", "amin", "median", "std", "ptp", "prod", "var"])
PICKS = frozenset(["argmin", "argmax"])
ORDERS = frozenset(["argsort", "lexsort"])
SAME = frozenset(
    [
        "abs",
        "absolute",
        "fabs",
        "negative",
        "floor",
        "ceil",
        "rint",
        "round",
        "sort",
        "copy",
        "cumsum",
        "clip",
        "array",
        "asarray",
        "float64",
        "int64",
    ]
)
PAIRS = frozenset(
    ["maximum", "minimum", "fmax", "fmin", "add", "subtract", "multiply", "divide", "true_divide", "power"]
)
FREE = frozenset(["exp", "log", "log1p", "expm1", "tanh"])
SHAPES = frozenset(["zeros", "ones", "full", "arange"])
LIKES = frozenset(["zeros_like", "ones_like", "full_like"])
DECISIONS = PICKS | ORDERS
"""Calls whose arguments are weighed against each other: editing them changes a decision, never a shape."""


def joined(a: Type, b: Type) -> tuple[int, Dim | None]:
    """Rank and dimension of an elementwise result. Two dimensions that are not known to be one make a third, so that
    nothing new is built on the hope that they are equal."""
    if a.rank and b.rank and a.dim != b.dim:
        return 1, ("mixed", a.dim, b.dim)
    return (1, a.dim if a.rank else b.dim) if a.rank or b.rank else (0, None)


def least(a: int, b: int) -> int:
    return a if a < b else b


def arithmetic(op: str, a: Type, b: Type) -> Type | None:
    """``a op b`` for quantities; positions and plain lists have no arithmetic that keeps their meaning."""
    if a.plain or b.plain:
        return None
    rank, dim = joined(a, b)
    dtype = "float" if "float" in (a.dtype, b.dtype) or op == "Div" else "int"
    if op in ("Add", "max"):
        best = max(a.sign, b.sign)
        sign = best if op == "max" or least(a.sign, b.sign) > ANY else ANY
        return Type(rank, dtype, dim, shared(a.unit, b.unit), sign)
    if op == "min":
        return Type(rank, dtype, dim, shared(a.unit, b.unit), least(a.sign, b.sign))
    if op == "Sub":
        return Type(rank, dtype, dim, shared(a.unit, b.unit), ANY)
    if op == "Mult":
        return Type(rank, dtype, dim, times(a.unit, b.unit), least(a.sign, b.sign))
    if op in ("Div", "FloorDiv"):
        sign = least(a.sign, b.sign) if op == "Div" else least(least(a.sign, b.sign), NONNEGATIVE)
        return Type(rank, dtype, dim, times(a.unit or (), b.unit, -1), sign)
    if op == "Mod":
        return Type(rank, dtype, dim, a.unit, NONNEGATIVE if b.sign == POSITIVE else ANY)
    if op == "Pow":
        return Type(rank, dtype, dim, None if a.unit else a.unit, a.sign)
    return None


def of_numpy(name: str, args: Sequence[Type | None], tag: Hashable) -> Type | None:
    """The type of ``np.name(*args)``; None where it is not known. ``tag`` identifies the result if it is a mask."""
    first = args[0] if args else None
    if name in SHAPES:
        return _fresh(name, args)
    if name in ("where", "nonzero", "flatnonzero") and len(args) == 1:
        return positions(first) if name == "flatnonzero" else None
    if name == "where" and len(args) == 3:
        a, b = args[1], args[2]
        if a is None or b is None or first is None:
            return None
        rank, dim = joined(a, b)
        rank, dim = joined(first, a._replace(rank=rank, dim=dim))
        dtype = "float" if "float" in (a.dtype, b.dtype) else a.dtype
        return Type(rank, dtype, dim, shared(a.unit, b.unit), least(a.sign, b.sign))
    if first is None:
        return None
    if name == "lexsort":
        return None
    if name in ("logical_and", "logical_or", "logical_not"):
        rank, dim = (
            joined(first, args[1]) if len(args) > 1 and args[1] is not None else (first.rank, first.dim)
        )
        return Type(rank, "bool", dim, (), tag=tag)
    if name in LIKES:
        return Type(first.rank, first.dtype, first.dim, None, NONNEGATIVE if name != "full_like" else ANY)
    if name in PAIRS:
        second = args[1] if len(args) > 1 else None
        if second is None or not (first.numeric and second.numeric):
            return None
        op = {
            "maximum": "max",
            "fmax": "max",
            "minimum": "min",
            "fmin": "min",
            "add": "Add",
            "subtract": "Sub",
        }
        return arithmetic(op.get(name, {"multiply": "Mult", "power": "Pow"}.get(name, "Div")), first, second)
    return of_method(name, first)


def of_method(name: str, first: Type) -> Type | None:
    """The type of ``first.name()`` or ``np.name(first)``."""
    if name == "count_nonzero":
        return Type(0, "int", None, (), NONNEGATIVE)
    if name in PICKS and first.rank:
        return Type(0, "int", None, (), NONNEGATIVE, indexes=first.dim)
    if name == "argsort" and first.rank:
        return Type(1, "int", ("order", first.dim), (), NONNEGATIVE, indexes=first.dim)
    if name in AGGREGATES and first.rank:
        return _aggregate(name, first)
    if name == "square" and first.numeric:
        return first._replace(unit=times(first.unit, first.unit), sign=max(first.sign, NONNEGATIVE))
    if name == "sqrt" and first.numeric:
        return first._replace(dtype="float", unit=root(first.unit), sign=max(first.sign, NONNEGATIVE))
    if name in FREE and first.numeric:
        return Type(first.rank, "float", first.dim, (), NONNEGATIVE if name == "exp" else ANY)
    if name in SAME:
        return _same(name, first)
    return None


def _aggregate(name: str, first: Type) -> Type | None:
    if first.dtype == "bool":
        return (
            Type(0, "int" if name == "sum" else "float", None, (), NONNEGATIVE)
            if name in ("sum", "mean")
            else None
        )
    if first.indexes is not None:
        return (
            Type(0, "int", None, (), NONNEGATIVE, indexes=first.indexes) if name in ("max", "min") else None
        )
    dtype = first.dtype if name in ("sum", "max", "min", "amax", "amin", "ptp", "prod") else "float"
    sign = NONNEGATIVE if name in ("std", "ptp", "var") else first.sign
    unit = None if name == "prod" else times(first.unit, first.unit) if name == "var" else first.unit
    return Type(0, dtype, None, unit, sign)


def _same(name: str, first: Type) -> Type | None:
    if name in ("copy", "array", "asarray"):
        return first._replace(plain=False)
    if name == "sort":
        return first._replace(dim=("order", first.dim))
    if not first.numeric:
        return None
    if name in ("abs", "absolute", "fabs"):
        return first._replace(sign=max(first.sign, NONNEGATIVE))
    if name == "negative":
        return first._replace(sign=ANY)
    if name in ("floor", "ceil", "rint", "round"):
        return first._replace(sign=min(first.sign, NONNEGATIVE))
    if name == "float64":
        return first._replace(dtype="float")
    if name == "int64":
        return first._replace(dtype="int", sign=min(first.sign, NONNEGATIVE))
    return first if name == "cumsum" else first._replace(sign=ANY)


def _fresh(name: str, args: Sequence[Type | None]) -> Type | None:
    first = args[0] if args else None
    if first is None or first.counts is None or (name == "arange" and len(args) > 1):
        return None
    if name == "arange":
        return Type(1, "int", first.counts, (), NONNEGATIVE, indexes=first.counts)
    filled = args[1] if name == "full" and len(args) > 1 else None
    if filled is not None:
        return Type(1, filled.dtype, first.counts, filled.unit, filled.sign)
    return Type(1, "float", first.counts, None, NONNEGATIVE)


def positions(mask: Type | None) -> Type | None:
    """The type of ``np.flatnonzero(mask)``."""
    if mask is None or mask.dtype != "bool" or not mask.rank or mask.dim is None:
        return None
    return Type(1, "int", selection(mask), (), NONNEGATIVE, indexes=mask.dim)


def selection(mask: Type) -> Dim:
    return ("sel", mask.dim, mask.tag)
