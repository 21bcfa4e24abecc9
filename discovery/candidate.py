"""A candidate as text: parsed once, checked once, hashed once; never executed on this side.

The check is for quick feedback, not for safety: the sandbox holds without it.
"""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from discovery import syntax
from evaluators.task import Interface
from searchspaces.space import Choice, FloatRange, ParameterValue, Range, SpaceError, read

# A parser's warning about somebody's text is nobody's business; a filter set for each call would not be thread-safe.
warnings.filterwarnings("ignore", module="<unknown>")

_UNREAD = frozenset({"ctx", "kind", "type_comment", "type_params", "type_ignores"})
"""Fields that say nothing about behaviour, or that only some versions of Python have."""
MAX_BYTES = 32_768
MAX_NESTING = 60
MAX_DEPTH = 150
MAX_BITS = 64
"""A longer whole number may have no decimal text and no float, so that even naming it in a message would fail."""
ALLOWED_IMPORTS = frozenset(
    (
        "__future__ bisect collections copy dataclasses enum fractions functools heapq itertools math numpy operator "
        "random statistics typing"
    ).split()
)


class Refused(Exception):
    """The text is not a candidate; the message is the reason, fit for the next prompt."""


@dataclass(frozen=True)
class Candidate:
    """Text that passed the check. ``hash`` is the SHA-256 of the normalised syntax tree (docstrings, comments and
    layout do not count); ``defaults`` are the keyword-only arguments of its functions; ``nodes`` its size in tree
    nodes, the measure of cost in code."""

    code: str
    hash: str
    defaults: Mapping[str, ParameterValue]
    space: Mapping[str, Range]
    nodes: int
    tree: ast.Module = field(repr=False, compare=False)
    functions: tuple[ast.FunctionDef, ...] = field(repr=False, compare=False)
    """The task's function within the tree, and the hooks that there are."""

    @property
    def hooks(self) -> tuple[str, ...]:
        """The names of the hooks that it defines."""
        return tuple(f.name for f in self.functions[1:])


def check(code: str, interface: Interface, tree: ast.Module | None = None) -> Candidate:
    """Parse and check ``code`` against ``interface``; ``tree`` is what :func:`parse` made of it where that was done
    before. Raises Refused with the first reason found."""
    tree = tree if tree is not None else parse(code)
    _check_imports(tree)
    functions = _functions(tree, interface)
    defaults = _defaults(functions, interface)
    space = _space(tree, defaults)
    words, nodes = _survey(tree)
    return Candidate(code, _hash(words), defaults, space, nodes, tree, functions)


@lru_cache(maxsize=256)
def signatures(code: str, interface: Interface) -> Mapping[str, tuple[str, ...]]:
    """The functions of the interface that a text defines, in the interface's order, each with the names of its
    keyword-only arguments. This alone says which hooks a candidate has, also where its text was not checked; what
    cannot be parsed has none."""
    try:
        tree = parse(code)
    except Refused:
        return {}
    found = {
        n.name: tuple(a.arg for a in n.args.kwonlyargs) for n in tree.body if isinstance(n, ast.FunctionDef)
    }
    return {f.function: found[f.function] for f in interface.functions if f.function in found}


def parse(code: str) -> ast.Module:
    """The syntax tree of hostile text. Size and nesting are bounded first, since deep nesting exhausts the parser.

    Raises Refused."""
    try:
        size = len(code.encode("utf-8"))
    except UnicodeEncodeError:
        raise Refused("the code contains characters that are not valid Unicode") from None
    if size > MAX_BYTES:
        raise Refused(f"the code has {size} bytes; at most {MAX_BYTES} are allowed")
    if "\0" in code:
        raise Refused("the code contains a null byte")
    if _nesting(code) > MAX_NESTING:
        raise Refused(f"the code nests brackets or blocks deeper than {MAX_NESTING}")
    try:
        tree = syntax.module(code)
    except SyntaxError as error:
        raise Refused(f"syntax error in line {error.lineno}: {error.msg}") from None
    except (RecursionError, MemoryError, ValueError):
        raise Refused("the code is too deeply nested to be parsed") from None
    _check_bounds(tree)
    return tree


def fingerprint(tree: ast.Module) -> str:
    """SHA-256 of the normalised tree: docstrings, layout and comments do not count, names do. The same on every
    supported version of Python."""
    return _hash(_survey(tree)[0])


def with_defaults(candidate: Candidate, values: Mapping[str, ParameterValue]) -> str:
    """The text of a tuned child: ``candidate`` with other defaults, everything else to the letter.

    Raises KeyError when a name is not a parameter."""
    return rewritten(
        candidate.code, [(n, v) for name, v in values.items() for n in default_nodes(candidate, name)]
    )


def default_nodes(candidate: Candidate, parameter: str) -> list[ast.expr]:
    """Where the default of a parameter stands: once in each function that has it. Raises KeyError when none has."""
    found = [
        default
        for function in candidate.functions
        for argument, default in zip(function.args.kwonlyargs, function.args.kw_defaults, strict=True)
        if argument.arg == parameter and default is not None
    ]
    if not found:
        raise KeyError(parameter)
    return found


def rewritten(code: str, spots: Sequence[tuple[ast.expr, ParameterValue]]) -> str:
    """``code`` with each of these nodes of its tree replaced by a value, everything else to the letter."""
    lines = code.encode("utf-8").splitlines(keepends=True)
    for node, value in sorted(spots, key=lambda s: _start(s[0]), reverse=True):
        first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
        head, tail = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
        lines[first : last + 1] = [head + repr(value).encode() + tail]
    return b"".join(lines).decode("utf-8")


def _start(node: ast.expr) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _nesting(code: str) -> int:
    deepest = depth = 0
    for character in code:
        if character in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in ")]}":
            depth = max(0, depth - 1)
    longest = max(
        (len(m.group()) for m in re.finditer(r"(?:[-+~]\s*){20,}|(?:\bnot\s+){20,}", code)), default=0
    )
    return max(deepest, longest)


def _check_bounds(tree: ast.AST) -> None:
    stack = [(tree, 1)]
    while stack:
        node, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise Refused(f"the syntax tree is deeper than {MAX_DEPTH} levels")
        if isinstance(node, ast.Constant) and isinstance(node.value, int):
            bits = node.value.bit_length()
            if bits > MAX_BITS:
                raise Refused(
                    f"line {node.lineno} holds a whole number of {bits} bits; at most {MAX_BITS} are allowed"
                )
        stack.extend([(child, depth + 1) for child in _children(node)])


def _children(node: ast.AST) -> list[ast.AST]:
    """The children that carry something; operators are left out. Leaner than the standard library's walk: a proposal
    is checked several times."""
    found: list[ast.AST] = []
    for name in node._fields:
        value = getattr(node, name, None)
        if value.__class__ is list:
            found += [v for v in value if isinstance(v, ast.AST)]
        elif isinstance(value, ast.AST) and value._fields:
            found.append(value)
    return found


def _survey(tree: ast.Module) -> tuple[list[str], int]:
    """The tree in preorder as words that tell it apart from every other one, without docstrings, and its number of
    nodes. A list is its length and its members, a missing child its own word."""
    words: list[str] = []
    nodes = 0
    stack: list[object] = [tree]
    while stack:
        item = stack.pop()
        if item.__class__ is list:
            words.append(str(len(item)))
            stack += item[::-1]
        elif isinstance(item, ast.AST):
            nodes += 1
            words.append(item.__class__.__name__)
            stack += [_value(item, name) for name in reversed(item._fields) if name not in _UNREAD]
        else:
            words.append(repr(item))
    return words, nodes


def _value(node: ast.AST, name: str) -> object:
    value = getattr(node, name, None)
    if name == "body" and isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
        kept = [s for s in value or [] if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
        return kept or [ast.Pass()]
    return value


def _hash(words: list[str]) -> str:
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def _check_imports(tree: ast.Module) -> None:
    stack: list[ast.AST] = [tree]
    while stack:
        node = stack.pop()
        if not isinstance(node, ast.expr):
            stack += _children(node)
        if isinstance(node, ast.Import):
            modules = [a.name for a in node.names]
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise Refused("relative imports are not allowed")
            modules = [node.module or ""]
        else:
            continue
        for module in modules:
            if module.split(".")[0] not in ALLOWED_IMPORTS:
                allowed = ", ".join(sorted(ALLOWED_IMPORTS - {"__future__"}))
                raise Refused(f"import of {module[:60]!r} is not allowed; allowed are {allowed}")


def _functions(tree: ast.Module, interface: Interface) -> tuple[ast.FunctionDef, ...]:
    """The task's function and the hooks that there are."""
    found = [(f, _function(tree, f)) for f in interface.functions]
    for wanted, function in found:
        if function is None and (wanted is interface or wanted.function in _bound(tree)):
            raise Refused(
                f"there is no top-level function {wanted.function!r}; expected {expected(wanted)}"
                + ("" if wanted is interface else ", or nothing of that name, since it is optional")
            )
    return tuple(function for _, function in found if function is not None)


def _function(tree: ast.Module, interface: Interface) -> ast.FunctionDef | None:
    found = [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name == interface.function]
    if len(found) > 1:
        raise Refused(f"the function {interface.function!r} is defined {len(found)} times")
    return found[0] if found else None


def _bound(tree: ast.Module) -> set[str]:
    """What the module may bind in other ways than by a top-level function, conditional definitions included."""
    names: set[str] = set()
    stack: list[ast.AST] = [n for n in tree.body if not isinstance(n, ast.FunctionDef)]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.alias):
            names.add((node.asname or node.name).split(".")[0])
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        else:
            stack += _children(node)
    return names


def expected(interface: Interface) -> str:
    """The first line of a function, for a reason of refusal."""
    return f"def {interface.function}({', '.join(a.name for a in interface.arguments)}, *, …)"


def _defaults(functions: Sequence[ast.FunctionDef], interface: Interface) -> dict[str, ParameterValue]:
    """The keyword-only arguments of all functions; one that several have is one parameter."""
    wanted = {f.function: f for f in interface.functions}
    defaults: dict[str, ParameterValue] = {}
    for function in functions:
        for name, value in _parameters(function, wanted[function.name]).items():
            if repr(defaults.setdefault(name, value)) != repr(value):
                raise Refused(
                    f"the keyword-only argument {name!r} is {defaults[name]!r} in one function and {value!r} in "
                    f"{function.name}; the same name is the same parameter, so give it the same default"
                )
    return defaults


def _parameters(function: ast.FunctionDef, interface: Interface) -> dict[str, ParameterValue]:
    arguments = function.args
    positional = [a.arg for a in (*arguments.posonlyargs, *arguments.args)]
    wanted = [a.name for a in interface.arguments]
    if positional != wanted or arguments.vararg or arguments.kwarg or arguments.defaults:
        raise Refused(
            f"{function.name} must take exactly the positional arguments ({', '.join(wanted)}) without defaults; "
            f"it has ({', '.join(positional)[:200]}); tunable numbers go after '*'"
        )
    defaults: dict[str, ParameterValue] = {}
    for argument, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        try:
            value = None if default is None else ast.literal_eval(default)
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            value = None
        if isinstance(value, bool) or not isinstance(value, int | float | str):
            raise Refused(
                f"the keyword-only argument {argument.arg!r} needs a number or string as its default"
            )
        if isinstance(value, float) and value - value != 0:
            raise Refused(f"the default of {argument.arg!r} is not finite")
        defaults[argument.arg] = value
    return defaults


def _space(tree: ast.Module, defaults: Mapping[str, ParameterValue]) -> dict[str, Range]:
    found = [
        n
        for n in tree.body
        if isinstance(n, ast.Assign)
        and any(isinstance(t, ast.Name) and t.id == "SEARCH_SPACE" for t in n.targets)
    ]
    if not found:
        return {}
    if len(found) > 1:
        raise Refused("SEARCH_SPACE is assigned more than once")
    try:
        space = read(found[0].value)
    except SpaceError as error:
        raise Refused(str(error)) from None
    for name, declared in space.items():
        if name not in defaults:
            raise Refused(
                f"SEARCH_SPACE names {name!r}, which is not a keyword-only argument of the function"
            )
        value = defaults[name]
        if not declared.holds(
            float(value) if isinstance(declared, FloatRange) and isinstance(value, int) else value
        ):
            shown = declared.choices if isinstance(declared, Choice) else (declared.low, declared.high)
            raise Refused(f"the default {value!r} of {name!r} lies outside its SEARCH_SPACE {shown!r}")
    return space
