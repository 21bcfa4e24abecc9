"""One candidate as something to edit: its tree, function, parameters and analysis; changes give a new text.

Trees are never changed in place, so an analysis can serve many requests: a change is a table of replacements, and the
new tree is a copy with the replacements put in.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from discovery import syntax
from discovery.candidate import Refused, parse
from discovery.proposers.genetic.inference import Interpreter
from discovery.proposers.genetic.trees import rebuilt, sizes, walk
from evaluators.task import Interface
from searchspaces.space import ParameterValue

Entry = Any
"""One entry of SEARCH_SPACE as a literal: a dictionary with low, high, log, or a list of choices."""

MAX_PARAMETERS = 8
MAX_NODES = 420
"""A candidate may grow to this size; one that is larger already may only shrink or stay."""

READ = 24
"""Parents that are kept parsed and analysed, up to a quarter of a megabyte each. Of a hundred questions 96 find theirs
here; more of them would be no more."""


@dataclass(frozen=True)
class Parameter:
    default: ParameterValue
    entry: Entry = None


@dataclass
class Change:
    """Replacements (node id → new node, None = leave the statement out), and parameters set or added."""

    swaps: dict[int, ast.AST | None] = field(default_factory=dict)
    parameters: dict[str, Parameter] = field(default_factory=dict)


@dataclass(frozen=True)
class Program:
    """A parsed candidate. ``names`` are all identifiers in it."""

    tree: ast.Module
    function: ast.FunctionDef
    parameters: Mapping[str, Parameter]
    numpy: str
    names: frozenset[str]
    sizes: Mapping[int, int]
    interface: Interface
    analysis: Interpreter

    def size(self, node: ast.AST) -> int:
        """Nodes under ``node``, which is part of the tree."""
        return self.sizes[id(node)]

    def free_name(self, taken: Mapping[str, object]) -> str:
        """The first parameter name ``w1, w2, …`` that nothing uses."""
        k = 1
        while f"w{k}" in self.names or f"w{k}" in taken:
            k += 1
        return f"w{k}"


@lru_cache(maxsize=READ)
def read(code: str, interface: Interface) -> Program:
    """Parse and analyse. Raises Refused when the text is no candidate."""
    return of_tree(parse(code), interface)


def of_tree(tree: ast.Module, interface: Interface) -> Program:
    """The program of a tree. Raises Refused when it does not define the function."""
    functions = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == interface.function]
    if len(functions) != 1:
        raise Refused(f"there is no single function {interface.function!r}")
    function = functions[0]
    space = _space(tree)
    parameters: dict[str, Parameter] = {}
    for argument, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
        try:
            value = ast.literal_eval(default) if default is not None else None
        except ValueError:
            value = None
        if isinstance(value, int | float | str) and not isinstance(value, bool):
            parameters[argument.arg] = Parameter(value, space.get(argument.arg))
    names, counted = set(), dict[int, int]()
    sizes(tree, counted)
    for node in walk(tree):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.FunctionDef):
            names.add(node.name)
    aliases = [
        a.asname or a.name
        for n in tree.body
        if isinstance(n, ast.Import)
        for a in n.names
        if a.name == "numpy"
    ]
    analysis = Interpreter(interface, {k: p.default for k, p in parameters.items()}, frozenset(aliases))
    analysis.run(function)
    alias = aliases[0] if aliases else "np"
    return Program(tree, function, parameters, alias, frozenset(names), counted, interface, analysis)


def _space(tree: ast.Module) -> dict[str, Entry]:
    for node in tree.body:
        if _declares_space(node) and isinstance(node, ast.Assign):
            try:
                found = ast.literal_eval(node.value)
            except ValueError:
                return {}
            return found if isinstance(found, dict) else {}
    return {}


def _declares_space(node: ast.stmt) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(t, ast.Name) and t.id == "SEARCH_SPACE" for t in node.targets
    )


def changed(program: Program, change: Change) -> ast.Module:
    """The new tree: replacements put in, unused locals and parameters dropped, SEARCH_SPACE rewritten."""
    imports: list[ast.stmt] = []
    rest: list[ast.stmt] = []
    function = rebuilt(program.function, change.swaps)
    body, used = _living([s for s in function.body if not _docstring(s)], program)
    known = {**program.parameters, **change.parameters}
    parameters = {k: p for k, p in known.items() if k in used}
    arguments = ast.arguments(
        posonlyargs=function.args.posonlyargs,
        args=function.args.args,
        vararg=None,
        kwonlyargs=[ast.arg(k) for k in parameters],
        kw_defaults=[literal(p.default) for p in parameters.values()],
        kwarg=None,
        defaults=[],
    )
    function = ast.FunctionDef(
        name=function.name,
        args=arguments,
        body=body,
        decorator_list=function.decorator_list,
        returns=function.returns,
        type_comment=None,
        lineno=1,
    )
    if "type_params" in ast.FunctionDef._fields:
        setattr(function, "type_params", [])  # noqa: B010 (Python 3.12 and later)
    hooks = _hook_defaults(program)
    moved: dict[int, ast.AST | None] = {
        id(node): literal(p.default) for k, p in change.parameters.items() for node in hooks.get(k, ())
    }
    if program.interface.objects:  # only there are numbers changed outside of the main function
        moved |= change.swaps
    for statement in program.tree.body:
        if _declares_space(statement) or _docstring(statement):
            continue
        kept = function if statement is program.function else statement
        kept = rebuilt(kept, moved) if moved else kept
        (imports if isinstance(statement, ast.Import | ast.ImportFrom) else rest).append(kept)
    if program.numpy in used and not program.analysis.numpy:
        imports.append(ast.Import([ast.alias("numpy", program.numpy)]))
    if program.numpy not in used and len(rest) == 1:
        imports = [s for s in imports if not _imports_numpy(s)]
    entries = {k: p.entry for k, p in parameters.items() if p.entry is not None}
    entries |= {k: e for k, e in _space(program.tree).items() if k in hooks and k not in known}
    entries |= {k: p.entry for k, p in known.items() if k in hooks and p.entry is not None}
    space: list[ast.stmt] = [_space_node(entries)] if entries else []
    return ast.Module([*imports, *space, *rest], [])


def _hook_defaults(program: Program) -> dict[str, list[ast.expr]]:
    """The parameters of the hooks, which stay as they are but for defaults that they share with the main function: name
    → where the default stands."""
    hooks = program.interface.hook_names
    found: dict[str, list[ast.expr]] = {}
    for function in program.tree.body:
        if isinstance(function, ast.FunctionDef) and function.name in hooks:
            for argument, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True):
                if default is not None:
                    found.setdefault(argument.arg, []).append(default)
    return found


def _imports_numpy(s: ast.stmt) -> bool:
    return isinstance(s, ast.Import) and [a.name for a in s.names] == ["numpy"]


def _docstring(s: ast.stmt) -> bool:
    return isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant)


def _space_node(entries: Mapping[str, Entry]) -> ast.stmt:
    value = syntax.expression(repr(dict(entries)))
    return ast.Assign([ast.Name("SEARCH_SPACE", ast.Store())], value, lineno=1)


def literal(value: ParameterValue) -> ast.expr:
    """A number as source writes it: a minus sign is an operator there."""
    if not isinstance(value, str) and value < 0:
        return ast.UnaryOp(ast.USub(), ast.Constant(-value))
    return ast.Constant(value)


def _living(body: list[ast.stmt], program: Program) -> tuple[list[ast.stmt], set[str]]:
    """The body without assignments to locals that nothing reads, when computing them does nothing else (a global may be
    read elsewhere); and the names that it reads."""
    shared = {name for s in body for n in walk(s) if isinstance(n, ast.Global) for name in n.names}
    for _ in range(3):
        loads: set[str] = set()
        assigned: list[tuple[str, ast.Assign | ast.AugAssign]] = []
        for statement in body:
            for n in walk(statement):
                if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load):
                    loads.add(n.id)
                elif isinstance(n, ast.Assign | ast.AugAssign):
                    target = n.targets[0] if isinstance(n, ast.Assign) else n.target
                    if isinstance(target, ast.Name):
                        assigned.append((target.id, n))
        kept = loads | shared | {name for name, s in assigned if not _pure(s.value, program)}
        dead: dict[int, ast.AST | None] = {id(s): None for name, s in assigned if name not in kept}
        if not dead:
            break
        body = [s for s in (rebuilt(s, dead) for s in body) if s is not None] or [ast.Pass()]
    return body, loads


def _pure(value: ast.expr, program: Program) -> bool:
    """Whether an expression only computes: calls of numpy and a few builtins, no methods that change anything."""
    for node in walk(value):
        if isinstance(node, ast.Call):
            f = node.func
            numpy = (
                isinstance(f, ast.Attribute) and isinstance(f.value, ast.Name) and f.value.id == program.numpy
            )
            method = isinstance(f, ast.Attribute) and f.attr in (
                "sum",
                "mean",
                "max",
                "min",
                "copy",
                "astype",
            )
            if not (
                numpy or method or (isinstance(f, ast.Name) and f.id in ("len", "max", "min", "abs", "float"))
            ):
                return False
    return True


def text(tree: ast.Module) -> str:
    """The source: one blank line between the parts of the module, four spaces, no comments."""
    return "\n\n".join(ast.unparse(s) for s in tree.body) + "\n"
