"""Types of expressions: one method a kind of node. Expressions that may be edited are noted as sites on the way."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import NamedTuple

from discovery.proposers.genetic import calls
from discovery.proposers.genetic.structure import COUNTED
from discovery.proposers.genetic.types import ANY, NONNEGATIVE, POSITIVE, Type, shared

Env = Mapping[str, Type]
FREE, FROZEN, HARD = 0, 1, 2
"""May be edited; only inside decisions (positions and shapes stand); never (the course of a loop)."""
TRANSPARENT = calls.SAME | calls.PAIRS | calls.FREE | calls.AGGREGATES | {"where", "sqrt", "square"}
"""Functions whose arguments may be edited: the shape of the result follows."""


class Site(NamedTuple):
    """An expression of a known type in the environment where it stands. ``role`` says what it is for ("=name",
    "return", "key" for what a decision compares, or ""); ``weight`` how promising it is to edit."""

    node: ast.expr
    type: Type
    env: Env
    role: str
    weight: float


class Expressions:
    """Infers types in an environment. ``sites`` and ``conditions`` (comparisons of quantities) gather what was met
    while recording."""

    def __init__(self, parameters: Mapping[str, float | int | str], numpy: frozenset[str]) -> None:
        self.sites: list[Site] = []
        self.conditions: list[Site] = []
        self.parameters = parameters
        self.numpy = numpy
        self._recording = True
        self._weight = 1.0
        self._depth = 1.0
        self._role = ""

    def infer(self, node: ast.expr, env: Env) -> Type | None:
        """The type of an expression that is not (yet) part of the function; records nothing."""
        if not self._recording:
            return self._expr(node, env, HARD)
        self._recording = False
        try:
            return self._expr(node, env, HARD)
        finally:
            self._recording = True

    def _root(self, value: ast.expr, env: Env, frozen: int, role: str, weight: float) -> Type | None:
        before = self._role, self._weight
        self._role, self._weight = role, weight
        found = self._expr(value, env, frozen)
        self._role, self._weight = before
        return found

    @staticmethod
    def _join(a: Type, b: Type | None, tag: tuple[int, str]) -> Type | None:
        if b is None or a.rank != b.rank or a.indexes != b.indexes or a.plain != b.plain:
            return None
        if (a.dtype == "bool") != (b.dtype == "bool"):
            return None
        if a.dtype == "bool":
            return a if a.dim == b.dim else None
        return a._replace(
            dtype="float" if "float" in (a.dtype, b.dtype) else "int",
            dim=a.dim if a.dim == b.dim else ("joined", *tag),
            unit=shared(a.unit, b.unit),
            sign=min(a.sign, b.sign),
            counts=a.counts if a.counts == b.counts else None,
        )

    def _expr(self, node: ast.expr, env: Env, frozen: int) -> Type | None:
        method = getattr(self, "_on_" + type(node).__name__.lower(), None)
        if method is None:
            return None
        found: Type | None = method(node, env, frozen)
        if (
            frozen == FREE
            and self._recording
            and found is not None
            and found.numeric
            and found.counts is None
            and not (isinstance(node, ast.Name) and node.id in self.parameters)
        ):
            self.sites.append(Site(node, found, env, self._role, self._weight * self._depth))
        return found

    def _on_name(self, node: ast.Name, env: Env, frozen: int) -> Type | None:  # noqa: ARG002
        return env.get(node.id)

    def _on_constant(self, node: ast.Constant, env: Env, frozen: int) -> Type | None:  # noqa: ARG002
        if isinstance(node.value, bool):
            return Type(0, "bool")
        if not isinstance(node.value, int | float):
            return None
        return Type(0, "float" if isinstance(node.value, float) else "int", None, None, sign_of(node.value))

    def _on_attribute(self, node: ast.Attribute, env: Env, frozen: int) -> Type | None:
        if isinstance(node.value, ast.Name) and node.value.id in self.numpy and node.attr == "inf":
            return Type(0, "float", None, None, POSITIVE, counts=("inf",))
        if node.attr == "size":
            owner = self._expr(node.value, env, max(frozen, FROZEN))
            if owner is not None and owner.rank:
                return Type(0, "int", None, (), NONNEGATIVE, counts=owner.dim)
        return None

    def _on_unaryop(self, node: ast.UnaryOp, env: Env, frozen: int) -> Type | None:
        found = self._expr(node.operand, env, frozen)
        if found is None:
            return None
        if isinstance(node.op, ast.USub):
            return found._replace(sign=ANY, counts=None) if found.numeric else None
        if isinstance(node.op, ast.Invert) and found.dtype == "bool":
            return found._replace(tag=("not", found.tag))
        return Type(0, "bool") if isinstance(node.op, ast.Not) else None

    def _on_binop(self, node: ast.BinOp, env: Env, frozen: int) -> Type | None:
        op = type(node.op).__name__
        inner = max(frozen, FROZEN) if op in ("BitAnd", "BitOr", "BitXor", "LShift", "RShift") else frozen
        a, b = self._expr(node.left, env, inner), self._expr(node.right, env, inner)
        if a is None or b is None:
            return None
        if a.dtype == "bool" and b.dtype == "bool":
            rank, dim = calls.joined(a, b)
            return Type(rank, "bool", dim, (), tag=id(node)) if op.startswith("Bit") else None
        if a.indexes is not None or b.indexes is not None:
            return None
        return calls.arithmetic(op, a, b)

    def _on_compare(self, node: ast.Compare, env: Env, frozen: int) -> Type | None:
        inner = HARD if frozen == HARD else FREE
        parts = [self._expr(n, env, inner) for n in (node.left, *node.comparators)]
        if len(parts) != 2 or parts[0] is None or parts[1] is None:
            return None
        a, b = parts[0], parts[1]
        rank, dim = calls.joined(a, b)
        found = Type(rank, "bool", dim, (), tag=id(node))
        if self._recording and frozen != HARD and a.numeric and b.numeric:
            self.conditions.append(Site(node, found, env, self._role, self._weight))
        return found

    def _on_boolop(self, node: ast.BoolOp, env: Env, frozen: int) -> Type | None:
        for value in node.values:
            self._expr(value, env, max(frozen, FROZEN))
        return Type(0, "bool")

    def _on_ifexp(self, node: ast.IfExp, env: Env, frozen: int) -> Type | None:
        self._expr(node.test, env, max(frozen, FROZEN))
        a, b = self._expr(node.body, env, frozen), self._expr(node.orelse, env, frozen)
        return None if a is None else self._join(a, b, (id(node), ""))

    def _on_subscript(self, node: ast.Subscript, env: Env, frozen: int) -> Type | None:
        owner = self._expr(node.value, env, max(frozen, FROZEN))
        if isinstance(node.slice, ast.Slice):
            for part in (node.slice.lower, node.slice.upper, node.slice.step):
                if part is not None:
                    self._expr(part, env, max(frozen, FROZEN))
            return None
        index = self._expr(node.slice, env, max(frozen, FROZEN))
        if _is_positions(node, self.numpy):
            assert isinstance(node.value, ast.Call)
            return calls.positions(self.infer(node.value.args[0], env))
        if owner is None or index is None or not owner.rank:
            return None
        if index.rank == 0:
            same = index.indexes == owner.dim or owner.plain or index.unit in (None, ())
            return owner._replace(rank=0, dim=None, plain=False, tag=None) if same else None
        if index.dtype == "bool":
            return owner._replace(dim=("sel", owner.dim, index.tag)) if index.dim == owner.dim else None
        return owner._replace(dim=index.dim, tag=id(node) if owner.dtype == "bool" else None)

    def _on_call(self, node: ast.Call, env: Env, frozen: int) -> Type | None:
        function = node.func
        if isinstance(function, ast.Attribute):
            if isinstance(function.value, ast.Name) and function.value.id in self.numpy:
                return self._numpy_call(node, function.attr, env, frozen)
            return self._method_call(node, function, env, frozen)
        if isinstance(function, ast.Name):
            return self._builtin(node, function.id, env, frozen)
        return None

    def _arguments(self, node: ast.Call, env: Env, frozen: int) -> list[Type | None]:
        return [self._expr(a, env, frozen) for a in node.args]

    def _numpy_call(self, node: ast.Call, name: str, env: Env, frozen: int) -> Type | None:
        if name in calls.DECISIONS:
            return self._decision(node, name, env, HARD if frozen == HARD else FREE)
        if name in COUNTED:
            return self._shaped(node, name, env)
        inner = frozen if name in TRANSPARENT else max(frozen, FROZEN)
        if name == "where" and len(node.args) == 3:
            args = [self._expr(node.args[0], env, max(frozen, FROZEN))]
            args += [self._expr(a, env, inner) for a in node.args[1:]]
        else:
            args = self._arguments(node, env, inner)
        if name == "flatnonzero" and node.args and args[0] is not None and args[0].tag is None:
            return None
        return calls.of_numpy(name, args, id(node))

    def _decision(self, node: ast.Call, name: str, env: Env, inner: int) -> Type | None:
        role, weight = self._role, self._weight
        self._role, self._weight = "key", 1.5
        try:
            if name == "lexsort":
                arg = node.args[0] if node.args else None
                if not isinstance(arg, ast.Tuple | ast.List):
                    return None
                parts = [self._expr(e, env, inner) for e in arg.elts]
                last = parts[-1] if parts else None
                return calls.of_method("argsort", last) if last is not None else None
            args = self._arguments(node, env, inner)
        finally:
            self._role, self._weight = role, weight
        return calls.of_method(name, args[0]) if args and args[0] is not None else None

    def _shaped(self, node: ast.Call, name: str, env: Env) -> Type | None:
        args = self._arguments(node, env, HARD)
        dtype = next((ast.unparse(k.value) for k in node.keywords if k.arg == "dtype"), "")
        if name in ("zeros", "ones", "full") and "bool" in dtype:
            count = args[0].counts if args and args[0] is not None else None
            return Type(1, "bool", count, (), tag=id(node)) if count is not None else None
        return calls.of_numpy(name, args, id(node)) if name != "empty" else None

    def _method_call(self, node: ast.Call, f: ast.Attribute, env: Env, frozen: int) -> Type | None:
        decision = f.attr in calls.DECISIONS
        inner = FREE if decision and frozen != HARD else frozen
        known = decision or f.attr in calls.AGGREGATES or f.attr in ("copy", "cumsum", "astype", "tolist")
        owner = self._expr(f.value, env, inner if known else max(frozen, FROZEN))
        for argument in node.args:
            self._expr(argument, env, max(frozen, FROZEN))
        if owner is None:
            return None
        if f.attr == "astype":
            word = ast.unparse(node.args[0]) if node.args else ""
            return owner._replace(dtype="float") if "float" in word and owner.numeric else owner
        if f.attr == "tolist":
            return owner._replace(plain=True) if owner.rank else owner
        return calls.of_method(f.attr, owner)

    def _builtin(self, node: ast.Call, name: str, env: Env, frozen: int) -> Type | None:
        key = next((k.value for k in node.keywords if k.arg == "key"), None)
        inner = max(frozen, FROZEN) if name not in ("max", "min", "abs", "float", "sum") else frozen
        args = self._arguments(node, env, inner)
        first = args[0] if args else None
        if name in ("min", "max", "sorted") and len(args) == 1:
            found = element(first)
            if isinstance(key, ast.Lambda):
                self._key(key, found, env, frozen)
            return found if name != "sorted" else first
        if first is None:
            return None
        if name in ("max", "min") and all(a is not None and a.numeric and not a.rank for a in args):
            out: Type | None = first
            for a in args[1:]:
                out = calls.arithmetic(name, out, a) if out is not None and a is not None else None
            return out
        if name == "len" and first.rank:
            return Type(0, "int", None, (), NONNEGATIVE, counts=first.dim)
        if name == "range" and len(args) == 1 and first.counts is not None:
            return Type(1, "int", first.counts, (), NONNEGATIVE, indexes=first.counts, plain=True)
        if name in ("list", "set", "tuple") and first.plain:
            return first
        if name == "int":
            return first._replace(dtype="int", sign=min(first.sign, NONNEGATIVE))
        if name == "float":
            return first._replace(dtype="float") if first.numeric else None
        if name == "abs":
            return calls.of_method("abs", first)
        return first._replace(rank=0, dim=None, plain=False) if name == "sum" and first.rank else None

    def _key(self, key: ast.Lambda, found: Type | None, env: Env, frozen: int) -> None:
        names = [a.arg for a in key.args.args]
        if found is None or len(names) != 1 or frozen == HARD:
            return
        inside = {**env, names[0]: found}
        parts = key.body.elts[:1] if isinstance(key.body, ast.Tuple) else [key.body]
        for part in parts:
            self._root(part, inside, FREE, "key", 2.0)


def element(source: Type | None) -> Type | None:
    """The type of the items of an array, list or range."""
    if source is None or not source.rank or source.dtype == "bool":
        return None
    return source._replace(rank=0, dim=None, plain=False, tag=None)


def sign_of(value: float) -> int:
    return POSITIVE if value > 0 else NONNEGATIVE if value == 0 else ANY


def _is_positions(node: ast.Subscript, numpy: frozenset[str]) -> bool:
    """``np.nonzero(mask)[0]`` and ``np.where(mask)[0]``."""
    call = node.value
    return (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in ("nonzero", "where")
        and isinstance(call.func.value, ast.Name)
        and call.func.value.id in numpy
        and len(call.args) == 1
    )
