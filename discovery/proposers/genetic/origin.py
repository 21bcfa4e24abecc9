"""A first program from the interface alone, for requests without parents."""

from __future__ import annotations

import ast

from discovery import syntax
from evaluators.task import Interface, Value


def first_program(interface: Interface) -> ast.Module:
    """The plainest function of the interface: the order of an argument, a copy of one, a comparison or zero."""
    names = ", ".join(a.name for a in interface.arguments)
    body = _answer(interface)
    return syntax.module(f"import numpy as np\n\ndef {interface.function}({names}):\n    return {body}\n")


def restarted(tree: ast.Module, interface: Interface) -> ast.Module:
    """The first program, with all that a candidate has beside its main function, where it defines hooks."""
    first = first_program(interface)
    names = {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}
    if not names & interface.hook_names:
        return first
    body: list[ast.stmt] = []
    for node in tree.body:
        main = isinstance(node, ast.FunctionDef) and node.name == interface.function
        body += first.body if main else [node]
    return ast.Module(body, [])


def _answer(interface: Interface) -> str:
    returns = interface.returns
    arrays = [a for a in interface.arguments if a.kind == "array" and a.length == returns.length]
    same = next((a for a in arrays if a.unit == returns.unit), arrays[0] if arrays else None)
    if returns.kind == "permutation":
        return (
            f"np.argsort({arrays[0].name}, kind='stable')" if arrays else f"np.arange({_length(interface)})"
        )
    if returns.kind == "scalar":
        scalars = [a.name for a in interface.arguments if a.kind == "scalar" and a.unit == returns.unit]
        return scalars[0] if scalars else repr(_least(returns))
    if same is None:
        filled = "False" if returns.kind == "mask" else repr(_least(returns))
        return f"np.full({_length(interface)}, {filled})"
    if returns.kind == "mask":
        return f"{same.name} >= np.mean({same.name})"
    return f"{same.name} * 1.0" if returns.dtype == "float64" else f"{same.name} + 0"


def _length(interface: Interface) -> str:
    sized = [
        a.name for a in interface.arguments if a.length == interface.returns.length and a.kind != "scalar"
    ]
    return f"len({sized[0]})" if sized else "1"


def _least(value: Value) -> float | int:
    least = 0.0 if value.low is None else value.low
    return int(least) if value.dtype == "int64" else float(least)
