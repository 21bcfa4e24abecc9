"""What statements do to names, read off the syntax: what they change, and which names decide shapes and loops."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from discovery.proposers.genetic import calls
from discovery.proposers.genetic.trees import walk

COUNTED = frozenset(["range", "zeros", "ones", "empty", "full", "arange"])
SHRINKING = frozenset("remove pop discard clear sort reverse".split())
MUTATING = frozenset(
    [
        "append",
        "remove",
        "pop",
        "insert",
        "extend",
        "sort",
        "reverse",
        "fill",
        "add",
        "discard",
        "clear",
        "update",
    ]
)


def changed(body: list[ast.stmt]) -> list[str]:
    """Names that the statements assign, store into or mutate by a method, in order of appearance."""
    found: dict[str, None] = {}
    for statement in body:
        for node in walk(statement):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
                found[node.id] = None
            elif isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
                if isinstance(node.ctx, ast.Store | ast.Del):
                    found[node.value.id] = None
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                if node.func.attr in MUTATING and isinstance(owner, ast.Name):
                    found[owner.id] = None
    return list(found)


def structural_names(function: ast.FunctionDef) -> frozenset[str]:
    """Names that decide positions, shapes or the course of loops: what is assigned to them is not arithmetic."""
    names: set[str] = set()
    assigned: list[tuple[str, ast.expr]] = []
    for node in walk(function):
        if isinstance(node, ast.Subscript):
            names.update(_plain_names(node.slice))
        elif isinstance(node, ast.While):
            names.update(n.id for n in walk(node.test) if isinstance(n, ast.Name))
        elif isinstance(node, ast.Call):
            f = node.func
            word = f.id if isinstance(f, ast.Name) else f.attr if isinstance(f, ast.Attribute) else ""
            if word in COUNTED:
                for argument in node.args[:1] if word != "range" else node.args:
                    names.update(_plain_names(argument))
        elif isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) and node.value is not None:
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            assigned += [(t.id, node.value) for t in targets if isinstance(t, ast.Name)]
        elif isinstance(node, ast.BinOp) and isinstance(
            node.op, ast.LShift | ast.RShift | ast.BitAnd | ast.BitOr
        ):
            names.update(_plain_names(node))
    for _ in range(3):
        size = len(names)
        for target, value in assigned:
            if target in names:
                names.update(_plain_names(value))
        if len(names) == size:
            break
    return frozenset(names)


def read_positions(function: ast.FunctionDef) -> frozenset[str]:
    """Names at which the function reads something: ``k`` of ``x[k]``, but not of ``x[k] = …``."""
    return frozenset(
        n.slice.id
        for n in walk(function)
        if isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Load) and isinstance(n.slice, ast.Name)
    )


def _plain_names(node: ast.expr) -> Iterator[str]:
    """Names in an expression, but not those that a decision or a comparison inside it weighs."""
    stack: list[ast.AST] = [node]
    while stack:
        n = stack.pop()
        if isinstance(n, ast.Name):
            yield n.id
        elif isinstance(n, ast.Compare | ast.Lambda) or (
            isinstance(n, ast.Call) and isinstance(n.func, ast.Attribute) and n.func.attr in calls.DECISIONS
        ):
            continue
        else:
            stack.extend(ast.iter_child_nodes(n))
