"""Walking and rebuilding syntax trees, lean: a proposal is to cost about as much as its check."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import Any


def walk(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but operators and contexts, in no promised order."""
    stack = [node]
    while stack:
        n = stack.pop()
        yield n
        for name in n._fields:
            value = getattr(n, name, None)
            if value.__class__ is list:
                stack.extend([v for v in value if isinstance(v, ast.AST)])
            elif isinstance(value, ast.AST) and value._fields:
                stack.append(value)


def sizes(node: ast.AST, table: dict[int, int]) -> int:
    """The number of nodes under each node, by id."""
    total = 1
    for name in node._fields:
        value = getattr(node, name, None)
        if value.__class__ is list:
            for v in value:
                if isinstance(v, ast.AST):
                    total += sizes(v, table)
        elif isinstance(value, ast.AST) and value._fields:
            total += sizes(value, table)
    table[id(node)] = total
    return total


def size(node: ast.AST) -> int:
    return sum(1 for _ in walk(node))


def names_in(node: ast.AST) -> list[str]:
    """Names in order of appearance, each once."""
    return list(dict.fromkeys(n.id for n in ast.walk(node) if isinstance(n, ast.Name)))


def rebuilt(node: Any, swaps: Mapping[int, ast.AST | None]) -> Any:
    """The tree with replacements (node id → new node; None leaves a statement out). What holds no replacement is
    shared with the old tree; nothing is changed in place. A replacement may hold the node it replaces."""
    if id(node) in swaps:
        new, others = swaps[id(node)], {k: v for k, v in swaps.items() if k != id(node)}
        return rebuilt(new, others) if new is not None and others else new
    fields: dict[str, Any] = {}
    fresh = False
    for name in node._fields:
        value = getattr(node, name, None)
        if value.__class__ is list:
            items = [rebuilt(v, swaps) if isinstance(v, ast.AST) else v for v in value]
            if any(a is not b for a, b in zip(items, value, strict=True)):
                fresh = True
                if name in ("body", "orelse"):
                    items = [v for v in items if v is not None] or ([ast.Pass()] if name == "body" else [])
                value = items
        elif isinstance(value, ast.AST) and value._fields:
            new = rebuilt(value, swaps)
            fresh = fresh or new is not value
            value = new
        fields[name] = value
    if not fresh:
        return node
    new = node.__class__(**fields)
    if isinstance(new, ast.stmt):
        new.lineno = 1
    return new
