"""Types of the locals and expressions of one function, by abstract interpretation.

A pass over the body carries an environment (name → type) from statement to statement; loops are walked until the
types of what they change settle. The result is a list of *sites*: expressions whose type is known and that may be
edited without changing a shape, a position or a loop's course. What cannot be typed leads to no site, so it stays
as it is.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from discovery.proposers.genetic import calls
from discovery.proposers.genetic.expressions import FREE, FROZEN, HARD, Env, Expressions, element, sign_of
from discovery.proposers.genetic.structure import SHRINKING, changed, read_positions, structural_names
from discovery.proposers.genetic.trees import walk
from discovery.proposers.genetic.types import NONNEGATIVE, NUMBER, Type, of_value, shared
from evaluators.task import Interface

OUTSIDE = 0.25
"""What an expression outside every loop weighs in a function that has one: it is met once, the others at each step."""


class Action(NamedTuple):
    """A statement that may be left out."""

    node: ast.stmt


class Interpreter(Expressions):
    """Walks one function. After :meth:`run`: ``sites``, ``conditions`` (comparisons of quantities) and ``actions``."""

    def __init__(
        self, interface: Interface, parameters: Mapping[str, float | int | str], numpy: frozenset[str]
    ) -> None:
        super().__init__(parameters, numpy)
        self.actions: list[Action] = []
        self.structural: frozenset[str] = frozenset()
        self.positions: frozenset[str] = frozenset()
        self._interface = interface
        self._fresh = 0

    def run(self, function: ast.FunctionDef) -> None:
        typed = ((v.name, of_value(v)) for v in self._interface.arguments)
        env: dict[str, Type] = {name: known for name, known in typed if known is not None}
        for name, value in self.parameters.items():
            if not isinstance(value, str):
                env[name] = NUMBER._replace(
                    dtype="float" if isinstance(value, float) else "int", sign=sign_of(value)
                )
        self.structural = structural_names(function)
        self.positions = read_positions(function)
        if any(isinstance(n, ast.For | ast.While) for n in walk(function)):
            self._depth = OUTSIDE
        self._block(function.body, env)
        # From here on this object is shared between threads: nothing that infer does may leave a trace.
        self._recording = False

    def _block(self, body: list[ast.stmt], env: Env) -> Env:
        for statement in body:
            env = self._statement(statement, env)
        return env

    def _statement(self, s: ast.stmt, env: Env) -> Env:
        if isinstance(s, ast.Assign):
            return self._assign(s, env)
        if isinstance(s, ast.AnnAssign) and isinstance(s.target, ast.Name) and s.value is not None:
            return self._bind(s.target.id, self._value(s.value, env, s.target.id), env)
        if isinstance(s, ast.AugAssign):
            return self._augmented(s, env)
        if isinstance(s, ast.For):
            return self._for(s, env)
        if isinstance(s, ast.While):
            self._expr(s.test, env, HARD)
            return self._loop(s.body, s, env, {})
        if isinstance(s, ast.If):
            return self._if(s, env)
        if isinstance(s, ast.Return):
            if s.value is not None:
                self._root(s.value, env, FREE, "return", 1.0)
            return env
        if isinstance(s, ast.Expr):
            self._root(s.value, env, FROZEN, "", 1.0)
            return self._mutated(s, env)
        return self._forget(changed([s]), env)

    def _mutated(self, s: ast.Expr, env: Env) -> Env:
        """A list from which something is taken still holds what it held; of one that grows nothing is known."""
        kept = env
        for name in changed([s]):
            old = env.get(name)
            shrinks = isinstance(s.value, ast.Call) and isinstance(s.value.func, ast.Attribute)
            shrinks = shrinks and s.value.func.attr in SHRINKING  # type: ignore[attr-defined]
            kept = self._bind(
                name, self._aged(old, (id(s), name)) if old and old.plain and shrinks else None, kept
            )
        return kept

    def _value(self, value: ast.expr, env: Env, target: str) -> Type | None:
        frozen = FROZEN if target in self.structural else FREE
        carried = any(isinstance(n, ast.Name) and n.id == target for n in walk(value))
        weight = 0.2 if carried or isinstance(value, ast.Constant | ast.Name) else 1.0
        return self._root(value, env, frozen, f"={target}", weight)

    def _assign(self, s: ast.Assign, env: Env) -> Env:
        target = s.targets[0]
        if len(s.targets) == 1 and isinstance(target, ast.Name):
            found = self._value(s.value, env, target.id)
            if self._recording and target.id not in self.structural and target.id in env:
                self.actions.append(Action(s))
            return self._bind(target.id, found, env)
        if len(s.targets) == 1 and isinstance(target, ast.Subscript) and isinstance(target.value, ast.Name):
            return self._store(target, self._root(s.value, env, FROZEN, "", 1.0), env)
        if (
            len(s.targets) == 1
            and isinstance(target, ast.Tuple)
            and isinstance(s.value, ast.Tuple)
            and len(target.elts) == len(s.value.elts)
            and all(isinstance(t, ast.Name) for t in target.elts)
        ):
            names = [t.id for t in target.elts if isinstance(t, ast.Name)]
            found_all = [self._value(v, env, n) for n, v in zip(names, s.value.elts, strict=True)]
            for name, found in zip(names, found_all, strict=True):
                env = self._bind(name, found, env)
            return env
        self._root(s.value, env, FROZEN, "", 1.0)
        return self._forget(changed([s]), env)

    def _augmented(self, s: ast.AugAssign, env: Env) -> Env:
        if not isinstance(s.target, ast.Name):
            self._root(s.value, env, FROZEN, "", 1.0)
            return self._forget(changed([s]), env)
        name, old = s.target.id, env.get(s.target.id)
        in_place = old is None or (old.rank == 1 and old.dtype == "int")
        frozen = FROZEN if name in self.structural or in_place else FREE
        found = self._root(s.value, env, frozen, "", 0.3)
        if old is None or found is None:
            return self._forget([name], env)
        if self._recording and frozen == FREE:
            self.actions.append(Action(s))
        if old.dtype == "bool":
            return self._bind(name, old, env)
        if not old.numeric and not (old.indexes is not None and found.indexes is None and old.rank == 0):
            return self._forget([name], env)
        quantity = old._replace(indexes=None, counts=None)
        return self._bind(name, calls.arithmetic(type(s.op).__name__, quantity, found), env)

    def _store(self, target: ast.Subscript, value: Type | None, env: Env) -> Env:
        assert isinstance(target.value, ast.Name)
        name = target.value.id
        self._expr(target.slice, env, FROZEN)
        old = env.get(name)
        if old is None or value is None or value.indexes is not None or old.indexes is not None:
            return self._forget([name], env)
        if old.dtype != "bool":
            old = old._replace(unit=shared(old.unit, value.unit), sign=min(old.sign, value.sign))
        return self._bind(name, old, env)

    def _if(self, s: ast.If, env: Env) -> Env:
        self._root(s.test, env, FROZEN, "", 1.0)
        first, second = self._block(s.body, env), self._block(s.orelse, env)
        if self._recording and all(isinstance(b, ast.Assign | ast.AugAssign) for b in (*s.body, *s.orelse)):
            names = changed(s.body)
            if all(n in env and n not in self.structural for n in names):
                self.actions.append(Action(s))
        if s.body and isinstance(s.body[-1], ast.Continue | ast.Break | ast.Return | ast.Raise):
            return second
        out = {}
        for name, a in first.items():
            b = second.get(name)
            joined = a if a is b else self._join(a, b, (id(s), name))
            if joined is not None:
                out[name] = joined
        return out

    def _for(self, s: ast.For, env: Env) -> Env:
        source = self._expr(s.iter, env, FROZEN)
        bound: dict[str, Type | None] = {}
        if isinstance(s.target, ast.Name):
            bound[s.target.id] = element(source)
        else:
            bound.update((n.id, None) for n in walk(s.target) if isinstance(n, ast.Name))
            if isinstance(s.target, ast.Tuple) and isinstance(s.iter, ast.Call):
                bound.update(self._unpacked(s.target, s.iter, env))
        return self._loop(s.body, s, env, bound)

    def _unpacked(self, target: ast.Tuple, source: ast.Call, env: Env) -> Iterator[tuple[str, Type | None]]:
        parts = [element(self.infer(a, env)) for a in source.args]
        name = source.func.id if isinstance(source.func, ast.Name) else ""
        if name == "enumerate" and len(parts) == 1:
            first = self.infer(source.args[0], env)
            parts = [Type(0, "int", None, (), NONNEGATIVE, indexes=first.dim if first else None), *parts]
        elif name != "zip":
            return
        for spot, found in zip(target.elts, parts, strict=False):
            if isinstance(spot, ast.Name):
                yield spot.id, found

    def _loop(self, body: list[ast.stmt], s: ast.stmt, env: Env, bound: Mapping[str, Type | None]) -> Env:
        names = changed(body)
        head = {k: t for k, t in env.items() if k not in bound}
        for name in names:
            if name in head:
                head[name] = self._aged(head[name], (id(s), name))
        recording, self._recording = self._recording, False
        for attempt in range(4):
            end = self._block(body, self._entered(head, bound))
            after = dict(head)
            for name in names:
                if name not in head:
                    continue
                joined = self._join(head[name], end.get(name), (id(s), name)) if attempt < 3 else None
                if joined is None:
                    del after[name]
                else:
                    after[name] = self._aged(joined, (id(s), name))
            settled, head = after == head, after
            if settled:
                break
        self._recording = recording
        if recording:
            outside, self._depth = self._depth, 1.0
            self._block(body, self._entered(head, bound))
            self._depth = outside
        return head

    @staticmethod
    def _entered(head: Env, bound: Mapping[str, Type | None]) -> Env:
        return {**head, **{k: t for k, t in bound.items() if t is not None}}

    @staticmethod
    def _aged(t: Type, tag: tuple[int, str]) -> Type:
        """A value that a loop changes: its identity is that of the loop's variable, not of its first value."""
        if t.plain and t.rank:
            return t._replace(dim=("list", *tag))
        return t._replace(tag=tag) if t.dtype == "bool" and t.rank else t

    def _bind(self, name: str, found: Type | None, env: Env) -> Env:
        if found is None:
            return self._forget([name], env)
        if found.rank and (found.dtype == "bool" or found.plain):
            self._fresh += 1
            found = found._replace(tag=self._fresh)
        return {**env, name: found}

    @staticmethod
    def _forget(names: list[str], env: Env) -> Env:
        return {k: t for k, t in env.items() if k not in names} if any(n in env for n in names) else env
