"""Habits of (small) models that can be put right without guessing: every fix keeps the meaning of the code.

All of it works on the syntax tree and splices the text; nothing is executed, and text without such a habit comes
back to the letter. What cannot be fixed safely is left for :func:`discovery.candidate.check` to refuse with its reason.
"""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Callable, Iterable

from discovery import syntax
from discovery.candidate import Refused, expected, parse
from evaluators.task import Interface
from searchspaces.space import Choice, FloatRange, IntRange, Range, SpaceError, read

Span = tuple[int, int, int, int]
"""First line, column, last line, column of a piece of text, as :mod:`ast` counts (lines from 1, columns in bytes)."""
Splice = tuple[Span, str]

_WHOLE = (
    "bisect",
    "collections",
    "copy",
    "functools",
    "heapq",
    "itertools",
    "math",
    "operator",
    "random",
    "statistics",
)
_MODULES = {"np": "import numpy as np", "numpy": "import numpy"} | {m: f"import {m}" for m in _WHOLE}
_NAMES = {
    "typing": "Any Callable Dict Iterable List Mapping Optional Sequence Set Tuple Union",
    "collections": "Counter OrderedDict defaultdict deque",
    "heapq": "heapify heappop heappush heapreplace nlargest nsmallest",
    "functools": "cmp_to_key lru_cache partial reduce",
    "itertools": "accumulate chain combinations pairwise permutations product",
    "bisect": "bisect_left bisect_right insort",
    "dataclasses": "dataclass",
}
_IMPORTS = _MODULES | {
    n: f"from {module} import {n}" for module, names in _NAMES.items() for n in names.split()
}
_WORD = re.compile(r"\w+")


class Unfit(Exception):
    """The code has no function that could be the interface's; the message is the reason, fit for the next prompt."""


def tidy(code: str, tree: ast.Module, interface: Interface) -> str:
    """``code`` with its habits put right. Raises Unfit."""
    steps: tuple[Callable[[str, ast.Module, Interface], str], ...] = (
        _unwrapped,
        _renamed,
        _undoubled,
        _without_demo,
        _starred,
        _numeric_defaults,
        _spaced,
        _imported,
    )
    for step in steps:
        changed = step(code, tree, interface)
        if changed != code:
            try:
                code, tree = changed, parse(changed)
            except Refused as refused:
                raise Unfit(str(refused)) from None
    return code


def splice(code: str, splices: Iterable[Splice]) -> str:
    """``code`` with pieces replaced, given in any order, none overlapping."""
    lines = code.encode("utf-8").splitlines(keepends=True)
    for (first, start, last, end), text in sorted(splices, reverse=True):
        head, tail = lines[first - 1][:start], lines[last - 1][end:]
        lines[first - 1 : last] = [head + text.encode("utf-8") + tail]
    return b"".join(lines).decode("utf-8")


def _span(node: ast.stmt | ast.expr | ast.arg) -> Span:
    return node.lineno, node.col_offset, node.end_lineno or node.lineno, node.end_col_offset or 0


def _removed(code: str, statements: Iterable[ast.stmt]) -> str:
    """``code`` without these top-level statements; one that shares its line with another becomes ``pass``."""
    lines = code.encode("utf-8").splitlines(keepends=True)
    splices: list[Splice] = []
    for node in statements:
        first, start, last, end = _span(node)
        for decorator in getattr(node, "decorator_list", []):
            first, start = min((first, start), (decorator.lineno, decorator.col_offset - 1))
        before, after = lines[first - 1][:start].strip(), lines[last - 1][end:].strip()
        alone = not before and (not after or after.startswith(b"#"))
        splices.append(
            ((first, 0, last, len(lines[last - 1])), "") if alone else ((first, start, last, end), "pass")
        )
    return splice(code, splices)


def _functions(tree: ast.Module) -> list[ast.FunctionDef]:
    return [n for n in tree.body if isinstance(n, ast.FunctionDef)]


def _positional(function: ast.FunctionDef) -> list[str]:
    return [a.arg for a in (*function.args.posonlyargs, *function.args.args)]


def _own(tree: ast.Module, interface: Interface) -> list[tuple[ast.FunctionDef, Interface]]:
    """The functions of the interface that there are, each with what it should look like."""
    wanted = {f.function: f for f in interface.functions}
    return [(f, wanted[f.name]) for f in _functions(tree) if f.name in wanted]


def _wanted(interface: Interface) -> list[str]:
    return [a.name for a in interface.arguments]


def _fits(arguments: list[str], interface: Interface) -> bool:
    wanted = _wanted(interface)
    return bool(wanted) and arguments[: len(wanted)] == wanted


def _unwrapped(code: str, tree: ast.Module, interface: Interface) -> str:
    """A method of ``class Solution`` becomes a top-level function, if it uses nothing of its object; so do hooks."""
    if any(f.name == interface.function for f in _functions(tree)):
        return code
    found: list[tuple[ast.ClassDef, ast.FunctionDef]] = []
    for holder in tree.body:
        if isinstance(holder, ast.ClassDef):
            methods = [m for m in holder.body if isinstance(m, ast.FunctionDef)]
            named = [m for m in methods if m.name == interface.function]
            alike = [
                m
                for m in methods
                if m.name not in interface.hook_names
                and (_fits(_positional(m)[1:], interface) or _fits(_positional(m), interface))
            ]
            found += [(holder, m) for m in named or alike]
    if not found or any(_fits(_positional(f), interface) for f in _functions(tree)):
        return code
    holder, method = found[0]
    if len(found) > 1:
        raise Unfit(
            f"several methods could be {interface.function!r}; write it once, as a top-level function"
        )
    beside = [m for m in holder.body if isinstance(m, ast.FunctionDef) and m.name in interface.hook_names]
    written = [_freed(m, holder, m.name) for m in beside] + [_freed(method, holder, interface.function)]
    demo = [s for s in _demo(tree, {holder.name}) if s.lineno > holder.lineno]
    return splice(_removed(code, demo), [(_span(holder), "\n\n\n".join(written))])


def _freed(method: ast.FunctionDef, holder: ast.ClassDef, name: str) -> str:
    """A method as a function called ``name``. Raises Unfit when it uses its object."""
    decorators = {d.id for d in method.decorator_list if isinstance(d, ast.Name)}
    if "staticmethod" not in decorators and (method.args.posonlyargs or method.args.args):
        owner = (method.args.posonlyargs or method.args.args).pop(0).arg
        if any(isinstance(n, ast.Name) and n.id == owner for s in method.body for n in ast.walk(s)):
            raise Unfit(
                f"{method.name!r} is a method of class {holder.name!r} and uses {owner!r}; "
                f"write {name!r} as a top-level function"
            )
    method.decorator_list = []
    old, method.name = method.name, name
    for node in ast.walk(method):
        if isinstance(node, ast.Name) and node.id == old:
            node.id = name
    return ast.unparse(method)


def _renamed(code: str, tree: ast.Module, interface: Interface) -> str:
    """The one top-level function with the right arguments under another name gets the right name."""
    functions = _functions(tree)
    if any(f.name == interface.function for f in functions):
        return code
    hooks = interface.hook_names
    fitting = [f for f in functions if f.name not in hooks and _fits(_positional(f), interface)]
    bound = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    if len(fitting) != 1 or {fitting[0].name, interface.function} & bound:
        has = f"; it defines {', '.join(f.name for f in functions)[:120]}" if functions else ""
        raise Unfit(
            f"there is no top-level function {interface.function!r}{has}; expected {expected(interface)}"
        )
    function = fitting[0]
    line = code.encode("utf-8").splitlines()[function.lineno - 1][function.col_offset :]
    match = re.match(rb"def[ \t]+", line)
    if match is None:
        return code
    start = function.col_offset + match.end()
    spots: list[Span] = [(function.lineno, start, function.lineno, start + len(function.name.encode()))]
    spots += [_span(n) for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == function.name]
    return splice(code, [(spot, interface.function) for spot in spots])


def _undoubled(code: str, tree: ast.Module, interface: Interface) -> str:
    """Of several definitions of a function, or of SEARCH_SPACE, the last one holds, as in Python itself."""
    last = {f.name: f for f, _ in _own(tree, interface)}
    spaces = [n for n in tree.body if _assigns(n, "SEARCH_SPACE")]
    gone = [f for f, _ in _own(tree, interface) if f is not last[f.name]] + spaces[:-1]
    return _removed(code, gone) if gone else code


def _assigns(node: ast.stmt, name: str) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(t, ast.Name) and t.id == name for t in node.targets
    )


def _names(node: ast.AST, context: type[ast.expr_context]) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, context)}


def _free(node: ast.AST) -> set[str]:
    """Names that a top-level statement takes from the module: loaded in it, but no argument or local of a function."""
    loaded = _names(node, ast.Load)
    if not isinstance(node, ast.FunctionDef):
        return loaded
    declared = {n for g in ast.walk(node) if isinstance(g, ast.Global) for n in g.names}
    own = {a.arg for a in ast.walk(node) if isinstance(a, ast.arg)} | _names(node, ast.Store)
    outside = [
        *node.decorator_list,
        *node.args.defaults,
        *(d for d in node.args.kw_defaults if d is not None),
    ]
    return (loaded - own) | declared | {n for part in outside for n in _names(part, ast.Load)}


def _demo(tree: ast.Module, suspects: set[str]) -> list[ast.stmt]:
    """Top-level statements that only try the code out: they call it, print, work on what such a call gave, or make
    the inputs of it."""
    kept = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.AsyncFunctionDef)
    loose = [s for s in tree.body if not isinstance(s, kept) and not _assigns(s, "SEARCH_SPACE")]
    if not loose:
        return []
    used = {n for s in tree.body if isinstance(s, kept) for n in _free(s)}
    suspects, demo = suspects | {"print", "__name__"}, []
    for statement in loose:
        targets = _names(statement, ast.Store)
        bare = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Name)
        if bare or (_names(statement, ast.Load) & suspects and not targets & used):
            suspects |= targets
            demo.append(statement)
    if not demo:
        return []
    needed = {n for s in demo for n in _names(s, ast.Load)}
    for statement in reversed([s for s in loose if isinstance(s, ast.Assign) and s not in demo]):
        others = {n for s in tree.body if s not in demo and s is not statement for n in _free(s)}
        targets = _names(statement, ast.Store)
        if targets & needed and not targets & others:
            needed |= _names(statement, ast.Load)
            demo.append(statement)
    gone = {n for s in demo for n in _names(s, ast.Store)}
    return [] if any(gone & _free(s) for s in tree.body if s not in demo) else demo


def _without_demo(code: str, tree: ast.Module, interface: Interface) -> str:
    demo = _demo(tree, {f.function for f in interface.functions})
    return _removed(code, demo) if demo else code


def _starred(code: str, tree: ast.Module, interface: Interface) -> str:
    """Trailing positional arguments with defaults become keyword-only."""
    splices = [s for function, wanted in _own(tree, interface) for s in _star(function, wanted)]
    return splice(code, splices) if splices else code


def _star(function: ast.FunctionDef, interface: Interface) -> list[Splice]:
    if not _fits(_positional(function), interface):
        return []
    arguments, wanted = function.args, len(interface.arguments)
    every = [*arguments.posonlyargs, *arguments.args]
    extra = every[wanted:]
    if (
        not extra
        or len(arguments.defaults) != len(extra)
        or arguments.vararg
        or len(arguments.posonlyargs) > wanted
    ):
        return []
    first = _span(extra[0])
    splices: list[Splice] = [((first[0], first[1], first[0], first[1]), "*, ")]
    if arguments.kwonlyargs:
        end, start = _span(arguments.defaults[-1]), _span(arguments.kwonlyargs[0])
        splices.append(((end[2], end[3], start[0], start[1]), ", "))
    return splices


def _numeric_defaults(code: str, tree: ast.Module, interface: Interface) -> str:
    """``flag=True`` becomes ``flag=1``: parameters are numbers or strings."""
    values = [v for function, _ in _own(tree, interface) for v in function.args.kw_defaults]
    flags = [v for v in values if isinstance(v, ast.Constant) and isinstance(v.value, bool)]
    return splice(code, [(_span(v), str(int(bool(v.value)))) for v in flags]) if flags else code


def _spaced(code: str, tree: ast.Module, interface: Interface) -> str:
    """A SEARCH_SPACE with small mistakes: ranges only steer the tuning, so what cannot be meant is dropped."""
    own = [function for function, _ in _own(tree, interface)]
    declared = next((n for n in tree.body if _assigns(n, "SEARCH_SPACE")), None)
    if not own or not isinstance(declared, ast.Assign) or not isinstance(declared.value, ast.Dict):
        return code
    defaults: dict[str, object] = {}
    arguments = [a for f in own for a in zip(f.args.kwonlyargs, f.args.kw_defaults, strict=True)]
    for argument, default in arguments:
        try:
            defaults[argument.arg] = ast.literal_eval(default) if default is not None else None
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            return code
    entries: dict[str, object] = {}
    for key, value in zip(declared.value.keys, declared.value.values, strict=True):
        name = key.value if isinstance(key, ast.Constant) else None
        if isinstance(name, str) and name in defaults:
            entry = _entry(name, value, defaults[name])
            entries |= {name: entry} if entry is not None else {}
    if _sound(declared.value, defaults):
        return code
    return splice(code, [(_span(declared.value), repr(entries))])


def _sound(literal: ast.Dict, defaults: dict[str, object]) -> bool:
    try:
        space = read(literal)
    except SpaceError:
        return False
    return all(name in defaults and _holds(declared, defaults[name]) for name, declared in space.items())


def _holds(declared: Range, value: object) -> bool:
    return declared.holds(
        float(value) if isinstance(declared, FloatRange) and isinstance(value, int) else value
    )


def _entry(name: str, literal: ast.expr, default: object) -> object:
    """The nearest sound range of one parameter, or None: its default inside, its ends in order, nothing else in it."""
    try:
        value = ast.literal_eval(literal)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    numeric = isinstance(default, int | float) and not isinstance(default, bool)
    if isinstance(value, list | tuple):
        if (
            len(value) == 2
            and numeric
            and default not in value
            and all(isinstance(v, int | float) for v in value)
        ):
            value = {"low": value[0], "high": value[1]}
        else:
            value = list(value)
    if isinstance(value, dict):
        low, high = value.get("low", value.get("min")), value.get("high", value.get("max"))
        if not (numeric and isinstance(low, int | float) and isinstance(high, int | float)):
            return None
        assert isinstance(default, int | float)
        low, high = min(low, high, default), max(low, high, default)
        if isinstance(default, float):
            try:
                low, high = float(low), float(high)
            except OverflowError:
                return None
        value = {"low": low, "high": high} | ({"log": True} if value.get("log") is True and low > 0 else {})
    try:
        (declared,) = read(syntax.expression(repr({name: value}))).values()
    except (SpaceError, SyntaxError, ValueError, RecursionError):
        return None
    assert isinstance(declared, FloatRange | IntRange | Choice)
    return value if _holds(declared, default) else None


def _imported(code: str, tree: ast.Module, _: Interface) -> str:
    """Imports of well-known names that are used and bound nowhere."""
    if _IMPORTS.keys().isdisjoint(_WORD.findall(code)):
        return code
    bound, loaded = set(dir(builtins)), set[str]()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            (loaded if isinstance(node.ctx, ast.Load) else bound).add(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            bound.add(node.name)
        elif isinstance(node, ast.alias):
            bound.add((node.asname or node.name).split(".")[0])
    missing = sorted((loaded - bound) & _IMPORTS.keys())
    if not missing:
        return code
    place = 1
    for statement in tree.body:
        text = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
        if not text and not (isinstance(statement, ast.ImportFrom) and statement.module == "__future__"):
            place = min([statement.lineno, *(d.lineno for d in getattr(statement, "decorator_list", []))])
            break
    return splice(code, [((place, 0, place, 0), "".join(_IMPORTS[name] + "\n" for name in missing))])
