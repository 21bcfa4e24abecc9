"""Numbers out of the proposer's hands: numeric literals of a candidate that a study may change.

A lifted literal becomes a named parameter with a range; the tuned value is written back in its place, so the code reads
as before with better numbers. It is done on the text by the positions of the syntax tree: a trial runs exactly the
text that its child would have, in whatever function the literal stands, and nothing is executed on this side.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from discovery.candidate import Candidate, default_nodes, rewritten
from discovery.execution.base import StageResult
from searchspaces.space import MAX_PARAMETERS, FloatRange, IntRange, ParameterValue, Range

MOST = 8
"""Literals of one candidate that are lifted: a study of 20 trials cannot tell more apart."""
SMALLEST, LARGEST = 1e-4, 1e6
"""Sizes beyond these are guards against division by zero and sentinels, not weights."""
WIDTH = 4
"""A range reaches from a quarter of the value to four times it."""

PROBED = 8
"""A literal is probed on one in so many instances, but on one of each class."""

_ARITHMETIC = (ast.Add, ast.Sub, ast.Mult, ast.Div)
_ORDER = (ast.Lt, ast.LtE, ast.Gt, ast.GtE)
_COMPARING = frozenset({"max", "min", "maximum", "minimum", "clip", "where"})
"""Functions whose arguments are data, whole numbers too."""
_SHAPING = frozenset(
    "range arange linspace zeros ones full empty reshape round around rint repeat tile roll diff default_rng "
    "Random seed partition argpartition islice combinations permutations shift nlargest nsmallest isclose "
    "allclose".split()
)
"""Functions whose arguments are shapes, bounds, counts, digits or tolerances."""
_SIZES = frozenset({"size", "shape", "ndim"})


@dataclass(frozen=True)
class Literal:
    """A number in the text: its parameter's name, its value and range, and where it stands."""

    name: str
    value: float | int
    range: Range
    node: ast.Constant = field(repr=False, compare=False)

    @property
    def line(self) -> int:
        return self.node.lineno

    @property
    def ends(self) -> tuple[float | int, ...]:
        """The ends of its range, the farthest from its value that a trial may go."""
        assert isinstance(self.range, FloatRange | IntRange)
        return (self.range.low, self.range.high)


@dataclass(frozen=True)
class Numbers:
    """What a study of ``candidate`` may change: its declared parameters and lifted ``literals``."""

    candidate: Candidate
    literals: tuple[Literal, ...] = ()

    @cached_property
    def space(self) -> dict[str, Range]:
        return {**self.candidate.space, **{x.name: x.range for x in self.literals}}

    @cached_property
    def defaults(self) -> dict[str, ParameterValue]:
        return {**self.candidate.defaults, **{x.name: x.value for x in self.literals}}

    def lifted(self, values: Mapping[str, ParameterValue]) -> tuple[Literal, ...]:
        """The literals that ``values`` would change."""
        return tuple(x for x in self.literals if values.get(x.name, x.value) != x.value)

    def declared(self, values: Mapping[str, ParameterValue]) -> dict[str, ParameterValue]:
        """Those of ``values`` that are the candidate's own parameters."""
        return {name: value for name, value in values.items() if name in self.candidate.defaults}

    def code(self, values: Mapping[str, ParameterValue]) -> str:
        """The text to run with :meth:`declared` values as arguments: literals folded back, all else to the letter."""
        return rewritten(self.candidate.code, [(x.node, values[x.name]) for x in self.lifted(values)])

    def text(self, values: Mapping[str, ParameterValue]) -> str:
        """The text of a tuned child: other defaults and other literals."""
        spots: list[tuple[ast.expr, ParameterValue]] = [(x.node, values[x.name]) for x in self.lifted(values)]
        spots += [
            (n, v) for name, v in self.declared(values).items() for n in default_nodes(self.candidate, name)
        ]
        return rewritten(self.candidate.code, spots)


def literals(candidate: Candidate, most: int = MOST) -> tuple[Literal, ...]:
    """The literals of a candidate that are worth a parameter, in the order of the text: at most ``most``, those in
    arithmetic and comparisons first, fractions before whole numbers.

    Left out are 0 and 1, indices, axes, slices, loop bounds, shapes, whole exponents, digits, tolerances and sentinels,
    and whatever is a parameter already. A literal stays whole or fractional as it is; its sign stands outside of it."""
    room = min(most, MAX_PARAMETERS - len(candidate.space))
    found = list(numeric(candidate.tree, candidate.functions))
    chosen = sorted(found, key=lambda f: (f[0], isinstance(f[1].value, int), _place(f[1])))[: max(0, room)]
    names = _names(candidate)
    return tuple(
        Literal(next(names), value, _range(value), node)
        for node in sorted((n for _, n in chosen), key=_place)
        if isinstance(value := node.value, int | float)
    )


def relevant(
    numbers: Numbers,
    scores: Sequence[float],
    groups: int,
    run: Callable[[str, int], StageResult],
    *,
    measured: bool = False,
) -> tuple[frozenset[str], int]:
    """The names of the literals that change a score when they go to the ends of their ranges, each alone, and what
    finding that out cost, in trials. ``scores`` are the candidate's on the whole set, whose classes alternate;
    ``run(code, count)`` gives those of other code on the first ``count`` instances. Where scores are ``measured`` they
    change by themselves, so the answers are compared, and the candidate's own are asked for first.

    A literal that makes the code fail matters, too."""
    total, names, runs = len(scores), set[str](), 0
    count = min(total, max(math.ceil(total / PROBED), groups))
    own = run(numbers.candidate.code, count) if measured else None
    runs += own is not None
    for literal in numbers.literals:
        for end in literal.ends:
            runs += 1
            result = run(numbers.code({literal.name: end}), count)
            differs = result.scores != tuple(scores[:count]) if own is None else result.answers != own.answers
            if result.outcome != "scored" or differs:
                names.add(literal.name)
                break
    return frozenset(names), math.ceil(runs * count / total)


def _place(node: ast.Constant) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _range(value: float) -> Range:
    if isinstance(value, int):
        return IntRange(max(1, value // WIDTH), value * WIDTH, log=value >= WIDTH**2)
    return FloatRange(value / WIDTH, value * WIDTH, log=True)


def _names(candidate: Candidate) -> Iterator[str]:
    """c1, c2, …, without names that the code uses."""
    taken = set(candidate.defaults)
    for node in ast.walk(candidate.tree):
        if isinstance(node, ast.Name):
            taken.add(node.id)
        elif isinstance(node, ast.arg):
            taken.add(node.arg)
    number = 0
    while True:
        number += 1
        if f"c{number}" not in taken:
            yield f"c{number}"


def numeric(tree: ast.Module, functions: Sequence[ast.FunctionDef]) -> Iterator[tuple[int, ast.Constant]]:
    """The literals of a module that are data, by the rules of :func:`literals`, with their rank, 0 for the best;
    ``functions`` are those whose keyword defaults are parameters already."""
    stack: list[tuple[ast.AST, int | None, bool]] = [(tree, None, False)]
    while stack:
        node, rank, whole = stack.pop()
        if isinstance(node, ast.Constant):
            if rank is not None and _sizeable(node.value, whole):
                yield rank, node
            continue
        if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
            stack.append((node.operand, rank, whole))
            continue
        for name, child in _children(node, functions):
            stack.append((child, *_rank(node, name)))


def _sizeable(value: object, whole: bool) -> bool:
    """Whether a value may be lifted; ``whole``: a whole number may, too."""
    if isinstance(value, float):
        return SMALLEST <= value < LARGEST
    return whole and isinstance(value, int) and not isinstance(value, bool) and 2 <= value < LARGEST


def _children(node: ast.AST, functions: Sequence[ast.FunctionDef]) -> Iterator[tuple[str, ast.AST]]:
    """The children below which a literal could be data, with the names of their fields."""
    if isinstance(node, ast.JoinedStr | ast.match_case) or _declares(node):
        return
    if isinstance(node, ast.Call) and _called(node) in _SHAPING:
        return
    skipped = {
        ast.Subscript: {"slice"},
        ast.While: {"test"},
        ast.FunctionDef: {"decorator_list", "returns"},
        ast.arguments: {"kw_defaults"} if any(node is f.args for f in functions) else set(),
        ast.arg: {"annotation"},
        ast.AnnAssign: {"annotation"},
    }.get(type(node), set())
    for name, value in ast.iter_fields(node):
        if name not in skipped:
            for child in value if isinstance(value, list) else (value,):
                if isinstance(child, ast.AST):
                    yield name, child


def _declares(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(t, ast.Name) and t.id == "SEARCH_SPACE" for t in node.targets
    )


def _rank(parent: ast.AST, name: str) -> tuple[int | None, bool]:
    """The rank of a literal that is this field of ``parent`` (None: structure), and whether a whole number may be
    lifted there."""
    if isinstance(parent, ast.BinOp):
        if isinstance(parent.op, _ARITHMETIC):
            return 0, not (_counts(parent.left) or _counts(parent.right))
        return (0 if isinstance(parent.op, ast.Pow) else None), False
    if isinstance(parent, ast.Compare):
        if not all(isinstance(op, _ORDER) for op in parent.ops):
            return None, False
        return 0, not any(_counts(side) for side in (parent.left, *parent.comparators))
    if isinstance(parent, ast.Call):
        if name != "args":
            return None, False
        comparing = _called(parent) in _COMPARING
        return (0 if comparing else 2), comparing
    if isinstance(parent, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Return):
        return (1 if name == "value" else None), False
    if isinstance(parent, ast.IfExp):
        return (None if name == "test" else 1), False
    if isinstance(parent, ast.BoolOp | ast.Lambda | ast.List | ast.Tuple | ast.arguments | ast.ListComp):
        return 2, False
    return None, False


def _counts(node: ast.expr) -> bool:
    """Whether an operand is a number of things, so that a whole number beside it is one, too."""
    if isinstance(node, ast.Call):
        return _called(node) == "len"
    if isinstance(node, ast.Subscript):
        return _counts(node.value)
    return isinstance(node, ast.Attribute) and node.attr in _SIZES


def _called(call: ast.Call) -> str:
    """The last part of the name of what is called."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""
