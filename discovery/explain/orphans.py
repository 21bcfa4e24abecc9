"""What an edit leaves behind: names that nobody reads any more, and what only served them.

When a term goes, so do the assignments, helpers, imports and parameters that it alone used. What had no reader in the
original stays: whether it does anything is for an edit of its own to find out.
"""

from __future__ import annotations

import ast

PURE = frozenset(
    "abs min max len int float bool round range sorted list tuple set dict enumerate zip sum any all mean "
    "std var median maximum minimum clip where log log1p exp expm1 sqrt square sign argsort argmin argmax "
    "argpartition lexsort cumsum cumprod diff arange zeros ones full empty array asarray astype copy "
    "tolist flatnonzero nonzero searchsorted percentile quantile floor ceil tanh sin cos power ptp prod "
    "dot outer concatenate repeat tile unique bincount item".split()
)
"""Functions and methods without a side effect, by the last part of their names."""


def reads(tree: ast.AST) -> frozenset[str]:
    """The names that are read anywhere in a tree."""
    return frozenset(
        n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Store)
    )


def swept(tree: ast.Module, before: frozenset[str], functions: frozenset[str]) -> ast.Module:
    """``tree`` without what served names of ``before`` that are read no more. ``functions`` are the task's own. The
    tree is changed in place."""
    pure = PURE | own_pure(tree)
    while True:
        gone = before - reads(tree)
        sweeper = _Sweeper(gone, functions, pure)
        sweeper.visit(tree)
        if not sweeper.dropped:
            return tree


class _Sweeper(ast.NodeTransformer):
    """One pass: drops what only stores ``gone`` names, and says whether anything went."""

    def __init__(self, gone: frozenset[str], functions: frozenset[str], pure: frozenset[str]) -> None:
        self._gone, self._functions, self._pure = gone, functions, pure
        self.dropped = False

    def visit(self, node: ast.AST) -> ast.AST | None:
        if isinstance(node, ast.stmt) and self._useless(node):
            self.dropped = True
            return None
        if isinstance(node, ast.FunctionDef) and node.name in self._functions:
            self._parameters(node.args)
        declared = _declared(node)
        if declared is not None:
            self._space(declared)
            if not declared.keys:
                return None
        visited: ast.AST = self.generic_visit(node)
        if isinstance(visited, ast.stmt) and getattr(visited, "body", None) == []:
            visited.body = [ast.Pass()]  # type: ignore[attr-defined]
        return visited

    def _useless(self, node: ast.stmt) -> bool:
        if isinstance(node, ast.Import | ast.ImportFrom):
            bound = [(a.asname or a.name.split(".")[0]) for a in node.names]
            return set(bound) <= self._gone
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            return node.name in self._gone - self._functions
        if isinstance(node, ast.Assign):
            return all(_stores(t, self._gone) for t in node.targets) and quiet(node.value, self._pure)
        if isinstance(node, ast.AugAssign | ast.AnnAssign):
            return _stores(node.target, self._gone) and (node.value is None or quiet(node.value, self._pure))
        if isinstance(node, ast.If):
            return _empty(node.body) and not node.orelse and quiet(node.test, self._pure)
        if isinstance(node, ast.For):
            return _empty(node.body) and not node.orelse and quiet(node.iter, self._pure)
        return False

    def _parameters(self, arguments: ast.arguments) -> None:
        """The keyword-only arguments of one of the task's functions, which are the candidate's parameters."""
        kept = [
            (a, d)
            for a, d in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
            if a.arg not in self._gone
        ]
        if len(kept) < len(arguments.kwonlyargs):
            self.dropped = True
            arguments.kwonlyargs = [a for a, _ in kept]
            arguments.kw_defaults = [d for _, d in kept]

    def _space(self, declared: ast.Dict) -> None:
        kept = [
            (k, v)
            for k, v in zip(declared.keys, declared.values, strict=True)
            if not (isinstance(k, ast.Constant) and k.value in self._gone)
        ]
        if len(kept) < len(declared.keys):
            self.dropped = True
            declared.keys, declared.values = [k for k, _ in kept], [v for _, v in kept]


def own_pure(tree: ast.Module) -> frozenset[str]:
    """The helpers of a candidate that change nothing outside of them, as far as their text tells: they write to no
    element or attribute, change no argument in place, and call only what is pure."""
    helpers = {f.name: f for f in tree.body if isinstance(f, ast.FunctionDef)}
    found: frozenset[str] = frozenset()
    while True:
        grown = found | {n for n, f in helpers.items() if n not in found and _contained(f, PURE | found)}
        if grown == found:
            return found
        found = grown


def quiet(node: ast.AST, pure: frozenset[str] = PURE) -> bool:
    """Whether evaluating an expression changes nothing, as far as its names tell."""
    return all(called(c) in pure for c in ast.walk(node) if isinstance(c, ast.Call)) and not any(
        isinstance(n, ast.NamedExpr | ast.Await | ast.Yield | ast.YieldFrom) for n in ast.walk(node)
    )


def _contained(function: ast.FunctionDef, pure: frozenset[str]) -> bool:
    arguments = {a.arg for a in ast.walk(function.args) if isinstance(a, ast.arg)}
    for node in ast.walk(function):
        if isinstance(node, ast.Global | ast.Nonlocal | ast.Delete | ast.Import | ast.ImportFrom):
            return False
        if isinstance(node, ast.Attribute | ast.Subscript) and not isinstance(node.ctx, ast.Load):
            return False
        if (
            isinstance(node, ast.AugAssign)
            and isinstance(node.target, ast.Name)
            and node.target.id in arguments
        ):
            return False
    return all(quiet(statement, pure) for statement in function.body)


def _declared(node: ast.AST) -> ast.Dict | None:
    """The dictionary of an assignment to SEARCH_SPACE."""
    if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Dict):
        return None
    named = any(isinstance(t, ast.Name) and t.id == "SEARCH_SPACE" for t in node.targets)
    return node.value if named else None


def called(node: ast.Call) -> str:
    """The last part of the name of what is called."""
    if isinstance(node.func, ast.Attribute):
        return node.func.attr
    return node.func.id if isinstance(node.func, ast.Name) else ""


def _stores(target: ast.expr, gone: frozenset[str]) -> bool:
    if isinstance(target, ast.Tuple | ast.List):
        return bool(target.elts) and all(_stores(t, gone) for t in target.elts)
    return isinstance(target, ast.Name) and target.id in gone


def _empty(body: list[ast.stmt]) -> bool:
    return all(isinstance(s, ast.Pass) for s in body)
