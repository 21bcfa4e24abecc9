"""The description language of affine programs: Python's grammar, read by its parser and never executed.

    '''C := beta C + alpha A B'''
    NI, NJ, NK = size(20, 190), size(23, 220), size(26, 240)
    alpha = 1.5
    C = array(NI, NJ)
    A = array(NI, NK)
    B = array(NK, NJ)
    for i in range(NI):
        for j in range(NJ):
            C[i, j] *= 1.2
            for k in range(NK):
                C[i, j] += alpha * A[i, k] * B[k, j]

``size`` gives the values of a size at each scale, small to large; ``array`` its extents and, as ``fill=``, what it
holds at first (:data:`evaluators.polyhedral.program.Fill`). Bounds of ``range`` and subscripts are affine in iterators
and sizes; a lower bound may be a ``max``, an upper one a ``min`` of such forms. ``if`` takes comparisons of affine
forms joined by ``and``. Values are made of elements, numbers, named constants, ``+ - * /``, ``sqrt``, ``exp``, ``abs``,
``min``, ``max``, affine forms and ``a if x == y else b``. Everything is a double.
"""

from __future__ import annotations

import ast
import keyword
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NoReturn, cast, get_args

from evaluators.polyhedral.program import (
    Access,
    Affine,
    Array,
    Expression,
    Fill,
    Loop,
    Program,
    Statement,
)
from evaluators.task import TaskError

MOST_TEXT, MOST_STATEMENTS, MOST_DEPTH, MOST_ARRAYS, MOST_SIZES, MOST_NODES = 20_000, 24, 6, 24, 6, 400
MOST_COEFFICIENT, MOST_SIZE, MOST_RANK, MOST_BOUNDS = 64, 100_000_000, 4, 8
NAME = re.compile(r"(?!c[0-9]+$)[A-Za-z][A-Za-z0-9]{0,15}")
"""c0, c1, … are the loops of isl."""
RESERVED = frozenset(
    "and or not exists mod floor floord ceild ceil min max implies true false infty infinity nan rat auto "
    "break case char const continue default do double else enum extern float for goto if inline int long "
    "register restrict return short signed sizeof static struct switch typedef union unsigned void "
    "volatile while kernel main sqrt exp fabs abs asm typeof linux unix lesser greater range size array ".split()
)
OPERATORS = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"}
COMPARISONS = {ast.Eq: "==", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.NotEq: "!="}
FUNCTIONS = {"sqrt": (1, 1), "exp": (1, 1), "abs": (1, 1), "min": (2, 2), "max": (2, 2)}
"""Name → least and most arguments."""


def parse(text: str, name: str) -> Program:
    """The program of a text. Raises TaskError with ``name``, the line and what is wrong."""
    if len(text) > MOST_TEXT:
        raise TaskError(f"{name}: the program is longer than {MOST_TEXT} characters")
    try:
        module = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = getattr(error, "lineno", None) or 1
        raise TaskError(f"{name}, line {line}: not a program ({getattr(error, 'msg', error)})") from None
    try:
        return _Reader(name).program(module, text)
    except RecursionError:
        raise TaskError(f"{name}: an expression is nested too deeply") from None


@dataclass
class _Reader:
    name: str
    sizes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)
    constants: dict[str, float] = field(default_factory=dict)
    loops: list[str] = field(default_factory=list)
    statements: int = 0

    def program(self, module: ast.Module, text: str) -> Program:
        body: list[Loop | Statement] = []
        for node in module.body:
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
                continue  # the docstring
            if isinstance(node, ast.Assign) and not isinstance(node.targets[0], ast.Subscript):
                if body:
                    self.refuse(node, "declarations come before the first loop or statement")
                self._declare(node)
            else:
                body += self._nodes([node], (), (), ())
        if not body:
            raise TaskError(f"{self.name}: the program has no statement")
        if not self.sizes:
            raise TaskError(f"{self.name}: the program has no size; expected a line like `N = size(100)`")
        counts = {len(s) for s in self.sizes.values()}
        if len(counts) > 1:
            raise TaskError(f"{self.name}: all sizes need equally many values; found {sorted(counts)}")
        return Program(
            self.name,
            tuple(self.sizes),
            tuple(self.sizes.values()),
            tuple(self.arrays.values()),
            tuple(body),
            text,
        )

    def refuse(self, node: ast.AST, reason: str) -> NoReturn:
        raise TaskError(f"{self.name}, line {getattr(node, 'lineno', 1)}: {reason}")

    # -- declarations -----------------------------------------------------------------------------------------------

    def _declare(self, node: ast.Assign) -> None:
        (target,) = node.targets if len(node.targets) == 1 else (None,)
        pairs = [(target, node.value)]
        if isinstance(target, ast.Tuple) and isinstance(node.value, ast.Tuple):
            if len(target.elts) != len(node.value.elts):
                self.refuse(node, "as many values as names are needed")
            pairs = list(zip(target.elts, node.value.elts, strict=True))
        for named, value in pairs:
            if not isinstance(named, ast.Name):
                self.refuse(node, "expected `name = size(…)`, `name = array(…)` or `name = number`")
            self._new(named, named.id)
            self._declared(named.id, value)

    def _declared(self, name: str, value: ast.expr) -> None:
        function = value.func.id if isinstance(value, ast.Call) and isinstance(value.func, ast.Name) else ""
        if function == "size":
            self.sizes[name] = self._scales(cast("ast.Call", value))
        elif function == "array":
            self.arrays[name] = self._array(name, cast("ast.Call", value))
        else:
            self.constants[name] = self._number(value)
        if len(self.sizes) > MOST_SIZES or len(self.arrays) > MOST_ARRAYS:
            self.refuse(value, f"at most {MOST_SIZES} sizes and {MOST_ARRAYS} arrays are allowed")

    def _scales(self, call: ast.Call) -> tuple[int, ...]:
        values = [self._number(a) for a in call.args]
        if not values or call.keywords or not all(v.is_integer() and 1 <= v <= MOST_SIZE for v in values):
            self.refuse(call, f"size(…) takes whole numbers from 1 to {MOST_SIZE}, one for each scale")
        return tuple(int(v) for v in values)

    def _array(self, name: str, call: ast.Call) -> Array:
        if not 1 <= len(call.args) <= MOST_RANK:
            self.refuse(call, f"array(…) takes 1 to {MOST_RANK} extents")
        shape = tuple(self._affine(a, frozenset()) for a in call.args)
        fill = "uniform"
        for word in call.keywords:
            if (
                word.arg != "fill"
                or not isinstance(word.value, ast.Constant)
                or word.value.value not in get_args(Fill)
            ):
                self.refuse(call, f"array(…, fill=…) takes one of {', '.join(get_args(Fill))}")
            fill = str(word.value.value)
        return Array(name, shape, cast("Fill", fill))

    def _number(self, node: ast.expr) -> float:
        sign = 1.0
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            sign, node = -1.0, node.operand
        if not isinstance(node, ast.Constant) or type(node.value) not in (int, float):
            self.refuse(node, "expected a number")
        try:
            value = sign * float(cast("float", node.value))
        except OverflowError:
            value = math.inf
        if not math.isfinite(value):
            self.refuse(node, "numbers must be finite")
        return value

    def _new(self, node: ast.AST, name: str) -> None:
        if not NAME.fullmatch(name) or name.lower() in RESERVED or keyword.iskeyword(name):
            self.refuse(node, f"{name[:20]!r} cannot be a name here; use letters and digits, at most 16")
        if name in self.sizes or name in self.arrays or name in self.constants:
            self.refuse(node, f"{name!r} is declared already")

    # -- loops and statements ---------------------------------------------------------------------------------------

    def _nodes(
        self,
        nodes: list[ast.stmt],
        loops: tuple[str, ...],
        iterators: tuple[str, ...],
        domain: tuple[Affine, ...],
    ) -> list[Loop | Statement]:
        found: list[Loop | Statement] = []
        for node in nodes:
            if isinstance(node, ast.For):
                found.append(self._loop(node, loops, iterators, domain))
            elif isinstance(node, ast.If):
                if node.orelse:
                    self.refuse(node, "`else` of a guard is not allowed; write a second `if`")
                guard = self._guard(node.test, frozenset(iterators))
                found += self._nodes(node.body, loops, iterators, (*domain, *guard))
            elif isinstance(node, ast.Assign | ast.AugAssign):
                found.append(self._statement(node, loops, iterators, domain))
            else:
                self.refuse(
                    node, "expected a loop, an affine `if` or an assignment to an element of an array"
                )
        return found

    def _loop(
        self, node: ast.For, loops: tuple[str, ...], iterators: tuple[str, ...], domain: tuple[Affine, ...]
    ) -> Loop:
        call = node.iter
        if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "range"):
            self.refuse(node, "expected `for i in range(…)`")
        if (
            not isinstance(node.target, ast.Name)
            or node.orelse
            or call.keywords
            or len(call.args) not in (1, 2)
        ):
            self.refuse(node, "expected `for i in range(upper)` or `for i in range(lower, upper)`")
        iterator = node.target.id
        self._new(node, iterator)
        if iterator in iterators:
            self.refuse(node, f"the iterator {iterator!r} is that of a loop around")
        if len(loops) == MOST_DEPTH:
            self.refuse(node, f"loops are nested more than {MOST_DEPTH} deep")
        outer = frozenset(iterators)
        lower = self._bounds(call.args[0], "max", outer) if len(call.args) == 2 else (Affine((), 0),)
        upper = self._bounds(call.args[-1], "min", outer)
        name = self._named(iterator)
        one = Affine(((iterator, 1),))
        inside = (
            *domain,
            *(one.plus(b, -1) for b in lower),
            *(b.plus(one, -1).plus(Affine((), 1), -1) for b in upper),
        )
        body = self._nodes(node.body, (*loops, name), (*iterators, iterator), inside)
        return Loop(name, iterator, lower, upper, tuple(body))

    def _named(self, iterator: str) -> str:
        """A name for one more loop of this iterator: i, then i2, i3, …"""
        taken, number, name = {*self.loops, *self.sizes, *self.arrays, *self.constants}, 1, iterator
        while name in taken:
            number += 1
            name = f"{iterator}{number}"
        self.loops.append(name)
        return name

    def _bounds(self, node: ast.expr, function: str, names: frozenset[str]) -> tuple[Affine, ...]:
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("min", "max"):
            if node.func.id != function or node.keywords or not node.args:
                self.refuse(node, f"this bound may be an affine form or a {function}(…) of such forms")
            if len(node.args) > MOST_BOUNDS:
                self.refuse(node, f"a bound is a {function}(…) of at most {MOST_BOUNDS} forms")
            return tuple(self._affine(a, names) for a in node.args)
        return (self._affine(node, names),)

    def _guard(self, node: ast.expr, names: frozenset[str]) -> list[Affine]:
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
            return [a for value in node.values for a in self._guard(value, names)]
        if not isinstance(node, ast.Compare):
            self.refuse(node, "a guard compares affine forms, joined by `and`")
        found, left = [], self._affine(node.left, names)
        for op, comparator in zip(node.ops, node.comparators, strict=True):
            right = self._affine(comparator, names)
            above, below = left.plus(right, -1), right.plus(left, -1)
            strict = Affine((), -1)
            match op:
                case ast.Lt():
                    found.append(below.plus(strict))
                case ast.LtE():
                    found.append(below)
                case ast.Gt():
                    found.append(above.plus(strict))
                case ast.GtE():
                    found.append(above)
                case ast.Eq():
                    found += [above, below]
                case _:
                    self.refuse(node, "a guard is made of <, <=, >, >= and ==")
            left = right
        return found

    def _statement(
        self,
        node: ast.Assign | ast.AugAssign,
        loops: tuple[str, ...],
        iterators: tuple[str, ...],
        domain: tuple[Affine, ...],
    ) -> Statement:
        target = node.target if isinstance(node, ast.AugAssign) else node.targets[0]
        if not isinstance(target, ast.Subscript) or (isinstance(node, ast.Assign) and len(node.targets) > 1):
            self.refuse(node, "expected an assignment to one element of an array")
        names = frozenset(iterators)
        write = self._access(target, names)
        value = self._value(node.value, names)
        if isinstance(node, ast.AugAssign):
            operator = OPERATORS.get(type(node.op))
            if operator is None:
                self.refuse(node, "expected =, +=, -=, *= or /=")
            value = Expression(operator, (Expression("read", access=write), value))
        if sum(1 for _ in value.walk()) > MOST_NODES:
            self.refuse(node, f"the value has more than {MOST_NODES} parts")
        self.statements += 1
        if self.statements > MOST_STATEMENTS:
            self.refuse(node, f"the program has more than {MOST_STATEMENTS} statements")
        return Statement(f"S{self.statements - 1}", loops, iterators, domain, write, value)

    # -- expressions ------------------------------------------------------------------------------------------------

    def _access(self, node: ast.Subscript, names: frozenset[str]) -> Access:
        if not isinstance(node.value, ast.Name) or node.value.id not in self.arrays:
            self.refuse(node, "only declared arrays have elements")
        array = self.arrays[node.value.id]
        given = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if len(given) != len(array.shape):
            self.refuse(node, f"{array.name} has {len(array.shape)} dimensions, here {len(given)} subscripts")
        return Access(array.name, tuple(self._affine(g, names) for g in given))

    def _affine(self, node: ast.expr, names: frozenset[str]) -> Affine:
        """An affine form in the iterators ``names`` and the sizes."""
        found = self._form(node, names)
        if any(abs(c) > MOST_COEFFICIENT for _, c in found.terms) or abs(found.constant) > MOST_SIZE:
            self.refuse(node, f"coefficients go to {MOST_COEFFICIENT}, constants to {MOST_SIZE}")
        return found

    def _form(self, node: ast.expr, names: frozenset[str]) -> Affine:  # noqa: RET503 - refuse() does not return
        match node:
            case ast.Constant(value=int() as value) if not isinstance(value, bool):
                return Affine((), max(min(value, 10**12), -(10**12)))
            case ast.Name(id=name) if name in names or name in self.sizes:
                return Affine(((name, 1),))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return self._form(operand, names).times(-1)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return self._form(left, names).plus(self._form(right, names))
            case ast.BinOp(left=left, op=ast.Sub(), right=right):
                return self._form(left, names).plus(self._form(right, names), -1)
            case ast.BinOp(left=left, op=ast.Mult(), right=right):
                a, b = self._form(left, names), self._form(right, names)
                if a.terms and b.terms:
                    self.refuse(node, "not affine: a product of two names")
                return b.times(a.constant) if not a.terms else a.times(b.constant)
            case ast.Name(id=name):
                self.refuse(node, f"{name[:20]!r} is neither an iterator of a loop around nor a size")
        self.refuse(node, "not affine: expected sums and whole multiples of iterators and sizes")

    def _value(self, node: ast.expr, names: frozenset[str]) -> Expression:  # noqa: RET503 - as above
        match node:
            case ast.Constant():
                return Expression("number", value=self._number(node))
            case ast.Name(id=name) if name in self.constants:
                return Expression("number", value=self.constants[name])
            case ast.Name(id=name) if name in names or name in self.sizes:
                return Expression("index", affine=Affine(((name, 1),)))
            case ast.Subscript():
                return Expression("read", access=self._access(node, names))
            case ast.UnaryOp(op=ast.USub(), operand=operand):
                return Expression("neg", (self._value(operand, names),))
            case ast.BinOp(left=left, op=op, right=right) if type(op) in OPERATORS:
                return Expression(OPERATORS[type(op)], (self._value(left, names), self._value(right, names)))
            case ast.Call(func=ast.Name(id=name), args=args, keywords=[]) if name in FUNCTIONS:
                least, most = FUNCTIONS[name]
                if not least <= len(args) <= most:
                    self.refuse(node, f"{name} takes {least} arguments here")
                return Expression(name, tuple(self._value(a, names) for a in args))
            case ast.IfExp(
                test=ast.Compare(left=left, ops=[op], comparators=[right]), body=body, orelse=other
            ):
                pair = (self._value(left, names), self._value(right, names))
                test = Expression(COMPARISONS.get(type(op), "=="), pair)
                if type(op) not in COMPARISONS:
                    self.refuse(node, "a condition is one comparison")
                return Expression("if", (test, self._value(body, names), self._value(other, names)))
        self.refuse(
            node, "expected elements, numbers, + - * /, sqrt, exp, abs, min, max or `a if x == y else b`"
        )


def sized(program: Program, sizes: Mapping[str, int]) -> Program:
    """The program with one scale: the sizes given. Raises TaskError for unknown, missing or wrong ones."""
    whole = all(type(v) is int and 1 <= v <= MOST_SIZE for v in sizes.values())
    if set(sizes) != set(program.sizes) or not whole:
        raise TaskError(
            f"{program.name}: sizes are {', '.join(program.sizes)}, whole numbers from 1 to {MOST_SIZE}"
        )
    scales = tuple((sizes[n],) for n in program.sizes)
    return Program(program.name, program.sizes, scales, program.arrays, program.body, program.text)
