"""What can be taken out of a candidate: its syntax tree with one branch, term, factor or statement replaced by
something neutral.

The rules look at the shape of the tree and know no task: ``a + b`` becomes ``a`` or ``b``, ``c * x`` becomes ``x``, a
call becomes one of its arguments, an ``if`` one of its arms, a loop nothing. Nothing is executed here; what a variant
is worth is for the sandbox and the referee to say.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from discovery.candidate import Candidate, Refused, check
from discovery.explain.orphans import called, reads, swept
from discovery.proposers.genetic.trees import size, sizes
from evaluators.task import Interface

SHOWN = 72
"""Characters of code in a description."""
MOST_ARGUMENTS = 4
_MASKS = (ast.BitAnd, ast.BitOr, ast.BitXor)
_LEFT_ONLY = (ast.Pow, ast.FloorDiv, ast.Mod, ast.LShift, ast.RShift)
_STRUCTURAL = frozenset(
    "int float bool str range arange len enumerate zip list tuple set dict sorted reversed iter next map "
    "filter isinstance argsort argmin argmax lexsort flatnonzero nonzero searchsorted zeros ones full "
    "empty linspace Random default_rng seed partition argpartition any all sum heappush heappop heapify "
    "append extend insert remove pop".split()
)
"""Functions whose result is of another kind than their arguments, so that no argument can stand for the call."""


@dataclass(frozen=True)
class Edit:
    """``node`` of a candidate's tree becomes ``into``: one expression, or any number of statements. ``kind`` is the
    rule's name."""

    kind: str
    node: ast.AST = field(repr=False)
    into: tuple[ast.AST, ...] = field(repr=False)

    @property
    def line(self) -> int:
        return int(getattr(self.node, "lineno", 0))

    @property
    def column(self) -> int:
        """Where it begins in its line, from 1."""
        return int(getattr(self.node, "col_offset", 0)) + 1

    @property
    def before(self) -> str:
        return _shown((self.node,))

    @property
    def after(self) -> str:
        return _shown(self.into) if self.into else ""

    @property
    def what(self) -> str:
        """The edit as people read it; holds the candidate's text, so it must be escaped where it is printed."""
        return f"line {self.line}: {self.before} → {self.after or 'nothing'}"


@dataclass(frozen=True)
class Variant:
    """A candidate with ``edits`` made, checked like any other text."""

    edits: tuple[Edit, ...]
    candidate: Candidate


def variants(candidate: Candidate, interface: Interface, most: int) -> tuple[Variant, ...]:
    """At most ``most`` different candidates that one edit gives, those whose edits take out most first.

    Each is a candidate of its own that is no larger than the original; what the edit leaves without a reader goes too
    (:mod:`discovery.explain.orphans`)."""
    found: dict[str, Variant] = {}
    for edit in largest_first(candidate):
        if len(found) >= most:
            break
        made = variant(candidate, (edit,), interface)
        if made is not None and made.candidate.hash != candidate.hash:
            found.setdefault(made.candidate.hash, made)
    return tuple(found.values())


def largest_first(candidate: Candidate) -> list[Edit]:
    """Every edit, by the number of tree nodes that it takes out itself; of equals the earlier in the text."""
    table: dict[int, int] = {}
    sizes(candidate.tree, table)

    def taken(edit: Edit) -> int:
        return table[id(edit.node)] - sum(table.get(id(n)) or size(n) for n in edit.into)

    return sorted(edits(candidate), key=taken, reverse=True)


def variant(candidate: Candidate, made: Sequence[Edit], interface: Interface) -> Variant | None:
    """The candidate with all of these edits; an edit inside code that another one takes out has no effect. None when
    that is no candidate."""
    tree = applied(candidate.tree, made)
    tree = swept(tree, reads(candidate.tree), frozenset(f.function for f in interface.functions))
    try:
        changed = check(ast.unparse(tree) + "\n", interface)
    except (Refused, ValueError, RecursionError):
        return None
    return Variant(tuple(made), changed)


def applied(tree: ast.Module, made: Sequence[Edit]) -> ast.Module:
    """A copy of ``tree`` with the edits made. Of two edits of one node the first holds."""
    swaps: dict[int, tuple[ast.AST, ...]] = {}
    for edit in made:
        swaps.setdefault(id(edit.node), edit.into)
    (copy,) = _copied(tree, swaps)
    assert isinstance(copy, ast.Module)
    return copy


def _copied(node: ast.AST, swaps: dict[int, tuple[ast.AST, ...]]) -> list[ast.AST]:
    into = swaps.get(id(node))
    if into is not None:  # what replaces a node may hold it, so its own swap is over
        rest = {k: v for k, v in swaps.items() if k != id(node)}
        return [copy for part in into for copy in _copied(part, rest)]
    fields: dict[str, object] = {}
    for name, value in ast.iter_fields(node):
        if isinstance(value, list):
            items = [c for v in value for c in (_copied(v, swaps) if isinstance(v, ast.AST) else [v])]
            fields[name] = items or ([ast.Pass()] if name == "body" and value else [])
        elif isinstance(value, ast.AST):
            fields[name] = _copied(value, swaps)[0]
        else:
            fields[name] = value
    copy = node.__class__(**fields)
    if "lineno" in node._attributes:
        ast.copy_location(copy, node)
    return [copy]


# -- the rules --------------------------------------------------------------------------------------------------------


def edits(candidate: Candidate) -> Iterator[Edit]:
    """Every edit of a candidate, in the order of its text."""
    needed = reads(candidate.tree)
    stored = {a.arg for a in ast.walk(candidate.tree) if isinstance(a, ast.arg)}
    stack: list[ast.AST] = [candidate.tree]
    while stack:
        node = stack.pop()
        if isinstance(node, ast.Assign | ast.AnnAssign):
            # The code can run without it only if what it sets was set before, or nobody reads it.
            own = set(_stored(node))
            if not _declares(node) and not (own & needed) - stored:
                yield Edit("statement", node, ())
            stored |= own
        elif isinstance(node, ast.stmt):
            yield from _statement(node)
        elif isinstance(node, ast.expr):
            yield from _expression(node)
        stack.extend(reversed(_inside(node)))


def _stored(tree: ast.AST) -> Iterator[str]:
    return (n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store))


def _inside(node: ast.AST) -> list[ast.AST]:
    """The children that may be edited: no declarations, defaults, annotations, docstrings or texts."""
    if isinstance(node, ast.Import | ast.ImportFrom | ast.JoinedStr | ast.arguments) or _declares(node):
        return []
    skipped = {"decorator_list", "returns", "annotation", "type_params", "targets", "target"}
    return [
        child
        for name, value in ast.iter_fields(node)
        if name not in skipped
        for child in (value if isinstance(value, list) else [value])
        if isinstance(child, ast.expr | ast.stmt | ast.comprehension | ast.keyword | ast.ExceptHandler)
        and not (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant))
    ]


def _declares(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(t, ast.Name) and t.id == "SEARCH_SPACE" for t in node.targets
    )


def _statement(node: ast.stmt) -> Iterator[Edit]:
    if isinstance(node, ast.If):
        yield Edit("branch", node, tuple(node.body))
        yield Edit("branch", node, tuple(node.orelse))
    elif isinstance(node, ast.For | ast.While):
        yield Edit("loop", node, ())
    elif isinstance(node, ast.Try):
        yield Edit("branch", node, (*node.body, *node.orelse, *node.finalbody))
    elif isinstance(node, ast.AugAssign | ast.Expr):
        yield Edit("statement", node, ())


def _expression(node: ast.expr) -> Iterator[Edit]:
    if isinstance(node, ast.BinOp):
        yield from _operation(node)
    elif isinstance(node, ast.Call):
        yield from _call(node)
    elif isinstance(node, ast.IfExp):
        yield Edit("branch", node, (node.body,))
        yield Edit("branch", node, (node.orelse,))
    elif isinstance(node, ast.BoolOp):
        yield from _members("condition", node, node.values)
    elif isinstance(node, ast.Lambda) and isinstance(node.body, ast.Tuple):
        yield from _members("key", node.body, node.body.elts)
    elif isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp):
        for generator in node.generators:
            for test in generator.ifs:
                yield Edit("condition", test, ())


def _operation(node: ast.BinOp) -> Iterator[Edit]:
    left, right = node.left, node.right
    if isinstance(node.op, ast.Add | ast.Sub) and (_one(left) or _one(right)):
        return  # the arithmetic of indices
    if isinstance(node.op, ast.Add):
        yield Edit("term", node, (left,))
        yield Edit("term", node, (right,))
    elif isinstance(node.op, ast.Sub):
        yield Edit("term", node, (left,))
        yield Edit("term", node, (ast.UnaryOp(ast.USub(), right),))
    elif isinstance(node.op, ast.Mult):
        yield Edit("factor", node, (left,))
        yield Edit("factor", node, (right,))
    elif isinstance(node.op, ast.Div):
        yield Edit("factor", node, (left,))
        yield Edit("factor", node, (ast.BinOp(ast.Constant(1), ast.Div(), right),))
    elif isinstance(node.op, _MASKS):
        yield Edit("condition", node, (left,))
        yield Edit("condition", node, (right,))
    elif isinstance(node.op, _LEFT_ONLY):
        yield Edit("factor", node, (left,))


def _one(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value == 1 and isinstance(node.value, int)


def _call(node: ast.Call) -> Iterator[Edit]:
    """One argument for the call: of ``max(a, b)`` and ``where(c, a, b)`` an arm, of ``log(x)`` what it is taken of. Of
    ``lexsort((a, b))`` one key is left out."""
    if any(isinstance(a, ast.Starred) for a in node.args):
        return
    name = called(node)
    if name == "lexsort" and len(node.args) == 1 and isinstance(node.args[0], ast.Tuple):
        yield from _members("key", node.args[0], node.args[0].elts)
    if name in _STRUCTURAL or not 1 <= len(node.args) <= MOST_ARGUMENTS:
        return
    arms = node.args[1:] if name == "where" and len(node.args) == 3 else node.args
    if name == "clip":
        arms = node.args[:1]
    for arm in arms:
        yield Edit("call", node, (arm,))


def _members(kind: str, node: ast.expr, members: Sequence[ast.expr]) -> Iterator[Edit]:
    """``node`` without one of its members; a single one left stands for itself unless it is a key."""
    for left_out in members:
        rest = [m for m in members if m is not left_out]
        if isinstance(node, ast.BoolOp):
            yield Edit(kind, node, (rest[0] if len(rest) == 1 else ast.BoolOp(node.op, rest),))
        elif rest:
            yield Edit(kind, node, (ast.Tuple(rest, ast.Load()),))


def _shown(nodes: Sequence[ast.AST]) -> str:
    """Code on one line, cut."""
    text = "; ".join(" ".join(ast.unparse(ast.fix_missing_locations(n)).split()) for n in nodes)
    return text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
