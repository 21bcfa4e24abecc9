"""How alike two candidates are: features of the syntax tree that do not know the names of locals, the order of what
has no order, or the value of a number.

A name stands for what it was first given, so a renamed local is the same local (value numbering, as compilers do it).
The features of a tree are its small subtrees, each with the number of its occurrence, so that a set of them is a bag;
the likeness of two candidates is the Jaccard index of their sets (the subtrees play the part of the pq-grams of
Augsten, Böhlen & Gamper, VLDB 2005). Everything is hashed with BLAKE2: the same on every machine.
"""

from __future__ import annotations

import ast
import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from discovery.candidate import Candidate

NUMBER, PARAMETER = "#", "parameter"
_ORDERLESS = (ast.Add, ast.Mult, ast.BitAnd, ast.BitOr, ast.BitXor)
_ORDERLESS_CALLS = frozenset({"max", "min", "maximum", "minimum", "fmax", "fmin", "gcd", "hypot"})
_MIRRORED: Mapping[type[ast.cmpop], str] = {ast.Gt: "Lt", ast.GtE: "LtE"}
_POSITIONS = frozenset({"axis", "ndmin", "k"})
"""Keywords whose numbers say where, not how much."""
_SKIPPED = (ast.Import, ast.ImportFrom, ast.Pass, ast.Global, ast.Nonlocal)


@dataclass(frozen=True)
class Likeness:
    """``shape`` is equal for candidates that differ in names, numbers and order-free details only; ``features`` are
    hashes of 32 bits; ``numbers`` the values of the literals and defaults, sorted."""

    shape: str
    features: frozenset[int]
    numbers: tuple[str, ...] = field(repr=False)


def likeness(candidate: Candidate) -> Likeness:
    """The features of a checked candidate."""
    reader = _Reader(candidate.functions)
    whole = reader.block(candidate.tree.body, {})
    features = frozenset(
        int.from_bytes(blake2b(f"{text}{n}".encode(), digest_size=4).digest(), "little")
        for text, count in reader.seen.items()
        for n in range(count)
    )
    return Likeness(_short(whole.full, 16), features, tuple(sorted(reader.numbers)))


def jaccard(a: frozenset[int], b: frozenset[int]) -> float:
    """The share of common features, 1 for two empty sets."""
    common = len(a & b)
    together = len(a) + len(b) - common
    return common / together if together else 1.0


@dataclass(frozen=True, slots=True)
class _Node:
    """A subtree in three depths: its own word, with its children's words, and whole."""

    word: str
    near: str
    full: str


Scope = dict[str, _Node]


class _Reader:
    """Reads one module; ``seen`` counts its small subtrees."""

    def __init__(self, own: tuple[ast.FunctionDef, ...]) -> None:
        self._own = own
        self.seen: Counter[str] = Counter()
        self.numbers: list[str] = []

    # -- statements ---------------------------------------------------------------------------------------------------

    def block(self, statements: Sequence[ast.stmt], scope: Scope) -> _Node:
        """A body, in its order. Neighbours are a feature, so that a swap of two statements is a small difference."""
        nodes = [self._statement(s, scope) for s in statements if not _says_nothing(s)]
        for before, after in itertools.pairwise(nodes):
            self.seen[f"{before.near};{after.near}"] += 1
        return self._made("Body", nodes)

    def _statement(self, node: ast.stmt, scope: Scope) -> _Node:
        match node:
            case ast.FunctionDef():
                return self._function(node, scope)
            case ast.Assign():
                value = self._expression(node.value, scope)
                return self._made("Assign", [*(self._bound(t, value, scope) for t in node.targets), value])
            case ast.AnnAssign(value=ast.expr()):
                assert node.value is not None
                value = self._expression(node.value, scope)
                return self._made("Assign", [self._bound(node.target, value, scope), value])
            case ast.AugAssign():
                # ``x += y`` is ``x = x + y``.
                old, value = self._expression(node.target, scope), self._expression(node.value, scope)
                return self._made("Assign", [old, self._operation(node.op, [old, value])])
            case ast.For():
                items = self._made("Each", [self._expression(node.iter, scope)])
                parts = [self._bound(node.target, items, scope), items, self.block(node.body, scope)]
                return self._made("For", parts + ([self.block(node.orelse, scope)] if node.orelse else []))
            case _:
                return self._made(type(node).__name__, self._children(node, scope))

    def _function(self, node: ast.FunctionDef, scope: Scope) -> _Node:
        inner: Scope = dict(scope)
        arguments = node.args
        for n, argument in enumerate((*arguments.posonlyargs, *arguments.args)):
            inner[argument.arg] = _leaf(argument.arg if node in self._own else f"argument {n}")
        for several in (arguments.vararg, arguments.kwarg):
            if several is not None:
                inner[several.arg] = _leaf("arguments")
        for argument in arguments.kwonlyargs:
            inner[argument.arg] = _leaf(PARAMETER)
        defaults = [d for d in (*arguments.defaults, *arguments.kw_defaults) if d is not None]
        inner[node.name] = _leaf("itself")
        parts = [self._expression(d, scope) for d in defaults] + [self.block(node.body, inner)]
        made = self._made("Function" if node not in self._own[1:] else f"Hook {node.name}", parts)
        if node is not self._own[0]:
            scope[node.name] = _Node("function", f"function/{len(inner)}", "=" + _short(made.full))
        return made

    def _bound(self, target: ast.expr, value: _Node, scope: Scope, place: str = "") -> _Node:
        """The target of an assignment. A name that is new stands for its value from now on."""
        match target:
            case ast.Name(id=name):
                if name not in scope:
                    scope[name] = self._local(value, place, scope)
                return scope[name]
            case ast.Tuple(elts=parts) | ast.List(elts=parts):
                return self._made(
                    "Tuple", [self._bound(t, value, scope, f"{place}.{n}") for n, t in enumerate(parts)]
                )
            case ast.Starred(value=inner):
                return self._bound(inner, value, scope, place + "*")
            case _:
                return self._expression(target, scope)

    def _local(self, value: _Node, place: str, scope: Scope) -> _Node:
        """What a name stands for: shallow where features are made, so that a change spreads no further than it must;
        whole in the shape. Of equal beginnings (``i = j = 0``) the second is another one."""
        full = f"={_short(value.full)}{place}"
        twins = sum(known.full.startswith(full) for known in scope.values())
        return _Node(f"={value.near}{place}", f"={value.near}{place}", f"{full}~{twins}")

    # -- expressions --------------------------------------------------------------------------------------------------

    def _expression(self, node: ast.expr, scope: Scope) -> _Node:
        match node:
            case ast.Constant(value=bool() | None):
                return _leaf(repr(node.value))
            case ast.Constant(value=int() | float() | complex()):
                self.numbers.append(repr(node.value))
                return _leaf(NUMBER)
            case ast.Constant():
                return _leaf(repr(node.value))
            case ast.UnaryOp(op=ast.USub() | ast.UAdd(), operand=ast.Constant(value=int() | float())):
                return self._expression(node.operand, scope)
            case ast.Name():
                return scope.get(node.id) or _leaf(node.id)
            case ast.BinOp(op=op) if isinstance(op, _ORDERLESS):
                return self._operation(op, [self._expression(e, scope) for e in _chain(node, type(op))])
            case ast.BinOp():
                return self._operation(node.op, [self._expression(e, scope) for e in (node.left, node.right)])
            case ast.BoolOp():
                return self._made(
                    type(node.op).__name__, _sorted(self._expression(e, scope) for e in node.values)
                )
            case ast.Compare(ops=[op]):
                sides = [self._expression(e, scope) for e in (node.left, node.comparators[0])]
                mirrored = _MIRRORED.get(type(op))
                if isinstance(op, ast.Eq | ast.NotEq):
                    sides = _sorted(sides)
                return self._made(mirrored or type(op).__name__, sides[::-1] if mirrored else sides)
            case ast.Attribute():
                return self._made("." + node.attr, [self._expression(node.value, scope)])
            case ast.Subscript():
                return self._made(
                    "Subscript", [self._expression(node.value, scope), self._index(node.slice, scope)]
                )
            case ast.Call():
                return self._call(node, scope)
            case ast.Lambda():
                names = {
                    a.arg: _leaf(f"argument {n}")
                    for n, a in enumerate((*node.args.args, *node.args.kwonlyargs))
                }
                return self._made("Lambda", [self._expression(node.body, {**scope, **names})])
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp() | ast.DictComp():
                return self._comprehension(node, scope)
            case ast.NamedExpr():
                value = self._expression(node.value, scope)
                return self._made("Assign", [self._bound(node.target, value, scope), value])
            case _:
                return self._made(type(node).__name__, self._children(node, scope))

    def _operation(self, op: ast.operator, sides: list[_Node]) -> _Node:
        return self._made(type(op).__name__, _sorted(sides) if isinstance(op, _ORDERLESS) else sides)

    def _index(self, node: ast.expr, scope: Scope) -> _Node:
        """A subscript: a bare number there says which, not how much."""
        place = _whole(node)
        return _leaf(place) if place is not None else self._expression(node, scope)

    def _call(self, node: ast.Call, scope: Scope) -> _Node:
        called = self._expression(node.func, scope)
        given = [self._expression(a, scope) for a in node.args]
        if called.word.lstrip(".") in _ORDERLESS_CALLS:
            given = _sorted(given)
        named = sorted(node.keywords, key=lambda k: k.arg or "")
        for keyword in named:
            place = _whole(keyword.value) if keyword.arg in _POSITIONS else None
            value = _leaf(place) if place is not None else self._expression(keyword.value, scope)
            given.append(self._made(f"{keyword.arg}=", [value]))
        return self._made("Call", [called, *given])

    def _comprehension(
        self, node: ast.ListComp | ast.SetComp | ast.GeneratorExp | ast.DictComp, scope: Scope
    ) -> _Node:
        inner, parts = dict(scope), []
        for part in node.generators:
            items = self._made("Each", [self._expression(part.iter, inner)])
            for name in ast.walk(part.target):
                if isinstance(name, ast.Name):
                    inner.pop(name.id, None)
            parts += [items, self._bound(part.target, items, inner)]
            parts += [self._expression(condition, inner) for condition in part.ifs]
        made = [node.key, node.value] if isinstance(node, ast.DictComp) else [node.elt]
        return self._made(type(node).__name__, [*(self._expression(e, inner) for e in made), *parts])

    # -- everything else ----------------------------------------------------------------------------------------------

    def _children(self, node: ast.AST, scope: Scope) -> list[_Node]:
        found: list[_Node] = []
        for name in node._fields:
            value = getattr(node, name, None)
            if isinstance(value, list) and value and isinstance(value[0], ast.stmt):
                found.append(self.block(value, scope))
                continue
            for item in value if isinstance(value, list) else (value,):
                if isinstance(item, ast.expr):
                    found.append(self._expression(item, scope))
                elif isinstance(item, ast.stmt):
                    found.append(self._statement(item, scope))
                elif isinstance(item, ast.AST) and item._fields:
                    found.append(self._made(type(item).__name__, self._children(item, scope)))
                elif isinstance(item, ast.operator | ast.unaryop | ast.cmpop):
                    found.append(_leaf(type(item).__name__))
        return found

    def _made(self, word: str, parts: list[_Node]) -> _Node:
        if not parts:
            return _leaf(word)
        near = f"{word}({','.join(p.word for p in parts)})"
        self.seen[near] += 1
        self.seen[f"{word}[{','.join(p.near for p in parts)}]"] += 1
        return _Node(word, near, f"{word}({','.join(p.full for p in parts)})")


def _leaf(word: str) -> _Node:
    return _Node(word, word, word)


def _sorted(parts: Iterable[_Node]) -> list[_Node]:
    return sorted(parts, key=lambda p: p.full)


def _chain(node: ast.expr, op: type[ast.operator]) -> list[ast.expr]:
    """The operands of ``a + b + c``."""
    operands: list[ast.expr] = []
    stack = [node]
    while stack:
        item = stack.pop()
        if isinstance(item, ast.BinOp) and isinstance(item.op, op):
            stack += [item.right, item.left]
        else:
            operands.append(item)
    return operands


def _whole(node: ast.expr) -> str | None:
    """A bare whole number as text, with its sign."""
    sign, inner = "", node
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        sign, inner = "-", node.operand
    if isinstance(inner, ast.Constant) and type(inner.value) is int:
        return f"{sign}{inner.value}"
    return None


def _says_nothing(node: ast.stmt) -> bool:
    """Docstrings, imports, and the declared ranges, which are numbers about numbers."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Assign):
        return any(isinstance(t, ast.Name) and t.id == "SEARCH_SPACE" for t in node.targets)
    return isinstance(node, _SKIPPED)


def _short(text: str, size: int = 8) -> str:
    return blake2b(text.encode(), digest_size=size).hexdigest()
