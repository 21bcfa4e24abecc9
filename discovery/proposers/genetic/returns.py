"""The return type stays what the interface says: whole numbers stay whole, bounded ones in their bounds."""

from __future__ import annotations

import ast

from discovery import syntax
from discovery.proposers.genetic.trees import rebuilt
from evaluators.task import Interface


def guarded(tree: ast.Module, interface: Interface) -> ast.Module:
    """The tree with its returned quantities rounded and clipped where the interface asks for it and they are not yet.

    Positions and masks are no quantities: edits never touch them, so they stay as they are."""
    returns = interface.returns
    whole = returns.dtype == "int64" and returns.kind in ("scalar", "array")
    bounded = returns.kind in ("scalar", "array") and (returns.low is not None or returns.high is not None)
    if returns.kind not in ("scalar", "array") or not (whole or bounded):
        return tree
    swaps: dict[int, ast.AST | None] = {}
    for function in tree.body:
        if isinstance(function, ast.FunctionDef) and function.name == interface.function:
            for node in ast.walk(function):
                if (
                    isinstance(node, ast.Return)
                    and node.value is not None
                    and not _guarded(node.value, whole, bounded)
                ):
                    written = _wrapped(ast.unparse(node.value), interface, whole, bounded)
                    swaps[id(node.value)] = syntax.expression(written)
    if not swaps:
        return tree
    body = [rebuilt(n, swaps) for n in tree.body]
    if not any(
        isinstance(n, ast.Import) and any(a.name == "numpy" and a.asname == "np" for a in n.names)
        for n in body
    ):
        body.insert(0, ast.Import([ast.alias("numpy", "np")]))
    return ast.Module(body, [])


def _wrapped(value: str, interface: Interface, whole: bool, bounded: bool) -> str:
    returns = interface.returns
    if bounded:
        value = f"np.clip({value}, {returns.low!r}, {returns.high!r})"
    if not whole:
        return value
    return f"np.rint({value}).astype(np.int64)" if returns.kind == "array" else f"int(np.rint({value}))"


def _guarded(node: ast.expr, whole: bool, bounded: bool) -> bool:
    """Whether the expression has the form that :func:`_wrapped` gives."""
    if whole:
        if _called(node) == "astype" and isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func.value
        elif _called(node) == "int" and isinstance(node, ast.Call) and node.args:
            node = node.args[0]
        else:
            return False
        if _called(node) == "rint" and isinstance(node, ast.Call):
            node = node.args[0]
    return not bounded or _called(node) == "clip"


def _called(node: ast.expr) -> str:
    if not isinstance(node, ast.Call):
        return ""
    f = node.func
    return f.attr if isinstance(f, ast.Attribute) else f.id if isinstance(f, ast.Name) else ""
