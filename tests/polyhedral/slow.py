"""Affine programs by their Python text alone: an interpreter of its syntax tree; order and legality by counting.

Nothing here uses the reader, isl or the generated C: what a program does is what Python says, what it owes to the order
of its text is every pair of accesses to one element of which one writes.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.polyhedral.program import Affine
from evaluators.polyhedral.tree import Schedule

Arrays = dict[str, npt.NDArray[np.float64]]


def divided(a: float, b: float) -> float:
    """As the processor divides: Python itself refuses to divide by zero."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return a / b if b else float(np.float64(a) / np.float64(b))


BINARY: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add, ast.Sub: operator.sub, ast.Mult: operator.mul, ast.Div: divided,
    ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge,
    ast.Eq: operator.eq, ast.NotEq: operator.ne,
}  # fmt: skip
CALLS: dict[str, Callable[..., Any]] = {
    "sqrt": math.sqrt,
    "exp": math.exp,
    "abs": abs,
    "range": range,
    "min": min,
    "max": max,
}


@dataclass(frozen=True)
class Instance:
    """One run of a statement: ``at`` are the values of the iterators around it, outer to inner; ``touched`` has for
    each access array, element and whether it is written."""

    statement: str
    at: tuple[int, ...]
    touched: tuple[tuple[str, tuple[int, ...], bool], ...]


@dataclass
class Run:
    """A program run at ``sizes``, on ``arrays`` where they are given: then they hold its results afterwards."""

    text: str
    sizes: Mapping[str, int]
    arrays: Arrays | None = None
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    instances: list[Instance] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._values: dict[str, Any] = dict(self.sizes)
        self._iterators: list[str] = []
        self._touched: list[tuple[str, tuple[int, ...], bool]] = []
        module = ast.parse(self.text)
        statements = (n for n in ast.walk(module) if isinstance(n, ast.Assign | ast.AugAssign))
        written = [n for n in statements if isinstance(self._target(n), ast.Subscript)]
        written.sort(key=lambda n: n.lineno)
        self._names = {id(n): f"S{k}" for k, n in enumerate(written)}
        self._run(module.body)

    @staticmethod
    def _target(node: ast.Assign | ast.AugAssign) -> ast.expr:
        return node.target if isinstance(node, ast.AugAssign) else node.targets[0]

    def _run(self, nodes: Iterable[ast.stmt]) -> None:
        for node in nodes:
            match node:
                case ast.Expr():
                    pass
                case ast.For(target=ast.Name(id=name)):
                    self._iterators.append(name)
                    for value in self._value(node.iter):
                        self._values[name] = value
                        self._run(node.body)
                    self._iterators.pop()
                case ast.If():
                    if self._value(node.test):
                        self._run(node.body)
                case ast.Assign() | ast.AugAssign() if id(node) in self._names:
                    self._assign(node)
                case ast.Assign():
                    self._declare(node)
                case _:
                    raise AssertionError(ast.dump(node))

    def _declare(self, node: ast.Assign) -> None:
        pairs: list[tuple[Any, ast.expr]] = [(node.targets[0], node.value)]
        if isinstance(node.targets[0], ast.Tuple):
            assert isinstance(node.value, ast.Tuple)
            pairs = list(zip(node.targets[0].elts, node.value.elts, strict=True))
        for target, value in pairs:
            match value:
                case ast.Call(func=ast.Name(id="size")):
                    assert target.id in self.sizes
                case ast.Call(func=ast.Name(id="array")):
                    self.shapes[target.id] = tuple(self._value(e) for e in value.args)
                case _:
                    self._values[target.id] = self._value(value)

    def _assign(self, node: ast.Assign | ast.AugAssign) -> None:
        target = self._target(node)
        assert isinstance(target, ast.Subscript)
        self._touched = []
        value = self._value(node.value)
        if isinstance(node, ast.AugAssign):
            value = BINARY[type(node.op)](self._value(target), value)
        array, element = self._element(target)
        self._touched.append((array, element, True))
        if self.arrays is not None:
            self.arrays[array][element] = value
        at = tuple(self._values[n] for n in self._iterators)
        self.instances.append(Instance(self._names[id(node)], at, tuple(self._touched)))

    def _element(self, node: ast.Subscript) -> tuple[str, tuple[int, ...]]:
        assert isinstance(node.value, ast.Name)
        array = node.value.id
        element = self._value(node.slice)
        element = element if isinstance(element, tuple) else (element,)
        inside = all(0 <= e < n for e, n in zip(element, self.shapes[array], strict=True))
        assert inside, f"line {node.lineno}: {array}[{element}] is outside of {self.shapes[array]}"
        return array, element

    def _value(self, node: ast.expr) -> Any:
        match node:
            case ast.Constant():
                return node.value
            case ast.Name():
                return self._values[node.id]
            case ast.Tuple():
                return tuple(self._value(e) for e in node.elts)
            case ast.UnaryOp():
                return -self._value(node.operand)
            case ast.BinOp():
                return BINARY[type(node.op)](self._value(node.left), self._value(node.right))
            case ast.Compare():
                values = [self._value(v) for v in (node.left, *node.comparators)]
                return all(
                    BINARY[type(o)](a, b) for o, a, b in zip(node.ops, values, values[1:], strict=False)
                )
            case ast.BoolOp():
                return all(self._value(v) for v in node.values)
            case ast.IfExp():
                both = self._value(node.body), self._value(node.orelse)  # both count as read
                return both[0] if self._value(node.test) else both[1]
            case ast.Subscript():
                array, element = self._element(node)
                self._touched.append((array, element, False))
                return 0.5 if self.arrays is None else float(self.arrays[array][element])
            case ast.Call(func=ast.Name()):
                assert isinstance(node.func, ast.Name)
                return CALLS[node.func.id](*(self._value(a) for a in node.args))
        raise AssertionError(ast.dump(node))


@cache
def instances(text: str, sizes: tuple[tuple[str, int], ...]) -> tuple[Instance, ...]:
    """What a program runs, in order."""
    return tuple(Run(text, dict(sizes)).instances)


# -- times ----------------------------------------------------------------------------------------------------------


def times(
    text: str, sizes: Mapping[str, int], schedule: Schedule
) -> tuple[tuple[Instance, ...], list[tuple[int, ...]]]:
    """The instances in the order of the text, and when each runs under the schedule."""
    found = instances(text, tuple(sorted(sizes.items())))
    made: list[tuple[int, ...]] = [()] * len(found)
    for name in schedule.statements:
        own = [k for k, i in enumerate(found) if i.statement == name]
        if not own:
            continue
        iterators = iterators_of(text)[name]
        columns = {n: np.array([found[k].at[d] for k in own]) for d, n in enumerate(iterators)}
        values = {**columns, **{n: np.full(len(own), v) for n, v in sizes.items()}}
        rows = np.array([_row(r, values, len(own)) for r in schedule.time(name)])
        for column, k in enumerate(own):
            made[k] = tuple(rows[:, column].tolist())
    return found, made


def _row(row: Affine, values: Mapping[str, npt.NDArray[np.int64]], count: int) -> npt.NDArray[np.int64]:
    total = np.full(count, row.constant)
    for name, coefficient in row.terms:
        total = total + coefficient * _form(ast.parse(name, mode="eval").body, values)
    return total


def _form(node: ast.expr, values: Mapping[str, Any]) -> Any:
    """An affine form with ``floor((…)/n)`` in it."""
    match node:
        case ast.Constant():
            return node.value
        case ast.Name():
            return values[node.id]
        case ast.UnaryOp():
            return -_form(node.operand, values)
        case ast.Call(func=ast.Name(id="floor"), args=[ast.BinOp(left=left, op=ast.Div(), right=right)]):
            return _form(left, values) // _form(right, values)
        case ast.BinOp():
            return BINARY[type(node.op)](_form(node.left, values), _form(node.right, values))
    raise AssertionError(ast.dump(node))


@cache
def iterators_of(text: str) -> dict[str, tuple[str, ...]]:
    """The iterators around each statement, outer to inner."""
    found: dict[str, tuple[str, ...]] = {}

    def visit(nodes: Iterable[ast.stmt], around: tuple[str, ...]) -> None:
        for node in nodes:
            if isinstance(node, ast.For):
                assert isinstance(node.target, ast.Name)
                visit(node.body, (*around, node.target.id))
            elif isinstance(node, ast.If):
                visit(node.body, around)
            elif isinstance(node, ast.Assign | ast.AugAssign):
                if isinstance(Run._target(node), ast.Subscript):
                    found[f"S{len(found)}"] = around

    visit(ast.parse(text).body, ())
    return found


def broken(text: str, sizes: Mapping[str, int], schedule: Schedule) -> str | None:
    """A pair of accesses to one element, one of them a write, that do not run in the order of the text; or None."""
    latest: dict[tuple[str, tuple[int, ...]], list[tuple[tuple[int, ...], str]]] = {}
    for instance, time in zip(*times(text, sizes, schedule), strict=True):
        here: dict[tuple[str, tuple[int, ...]], bool] = {}
        for array, element, writes in instance.touched:
            here[array, element] = here.get((array, element), False) or writes
        for place, writes in here.items():
            # the latest time of all accesses so far, and that of writes
            known = latest.setdefault(place, [((-(10**9),), ""), ((-(10**9),), "")])
            before = known[0 if writes else 1]
            if before[0] >= time:
                return f"{before[1]} and {instance.statement}{instance.at} at {place}"
            named = f"{instance.statement}{instance.at}"
            known[0] = max(known[0], (time, named))
            if writes:
                known[1] = max(known[1], (time, named))
    return None


def carried(text: str, sizes: Mapping[str, int], schedule: Schedule, loop: str) -> bool:
    """Whether two iterations of a loop, within one of those around it, touch one element that one of them writes."""
    place = 2 * len(schedule.around[loop]) + 1
    inside = schedule.nests[loop].row
    touched: dict[Any, set[int]] = {}
    written: set[Any] = set()
    for instance, time in zip(*times(text, sizes, schedule), strict=True):
        if instance.statement in inside:
            for array, element, writes in instance.touched:
                key = array, element, time[:place]
                touched.setdefault(key, set()).add(time[place])
                if writes:
                    written.add(key)
    return any(len(touched[key]) > 1 for key in written)
