"""C out of a schedule: the tree of loops as an isl schedule tree, isl's syntax tree of it, and its text in C.

The text is one function with run-time sizes, so that one object serves every size. All that stands in it is our own:
names that the language has checked, integers, and what isl makes of them. Register tiles are written out where they are
full, and are loops where they are not (isl's ``isolate``).

Source: Grosser, Verdoolaege & Cohen, "Polyhedral AST generation is more than scanning polyhedra" (2015).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

from evaluators.polyhedral.dependences import Analysis
from evaluators.polyhedral.program import Access, Affine, Expression, Program, Statement
from evaluators.polyhedral.tree import Leaf, Nest, Node, Schedule, original, statements

PROLOGUE = """\
#include <math.h>
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define floord(a, b) (((a) < 0) ? -((-(a) + (b) - 1) / (b)) : (a) / (b))
#define ceild(a, b) (-floord(-(a), b))
static inline double lesser(double a, double b) { return a < b ? a : b; }
static inline double greater(double a, double b) { return a > b ? a : b; }
"""
CALLS = {"sqrt": "sqrt", "exp": "exp", "abs": "fabs", "min": "lesser", "max": "greater"}
MOST_TEXT = 200_000
"""Characters of C; isl can make much of a little."""


class TooLong(Exception):
    """The C text of a schedule would be longer than anybody wants to compile."""


def reference(program: Program) -> str:
    """The program as its text says, loop by loop: what a person would write."""

    def visit(nodes: tuple[Node, ...], depth: int) -> Iterator[str]:
        pad = "  " * depth
        for node in nodes:
            if isinstance(node, Leaf):
                yield from _guarded(node.statement, pad)
            else:
                loop = loops[node.name]
                low = _extreme("max", [str(a) for a in loop.lower])
                high = _extreme("min", [str(a) for a in loop.upper])
                yield f"{pad}for (long {loop.iterator} = {low}; {loop.iterator} < {high}; ++{loop.iterator}) {{"
                yield from visit(node.body, depth + 1)
                yield f"{pad}}}"

    def _guarded(name: str, pad: str) -> Iterator[str]:
        statement = by_name[name]
        bounds = set()
        for loop in (loops[n] for n in statement.loops):
            one = Affine(((loop.iterator, 1),))
            bounds |= {one.plus(b, -1) for b in loop.lower}
            bounds |= {b.plus(one, -1).plus(Affine((), 1), -1) for b in loop.upper}
        guards = [f"{c} >= 0" for c in dict.fromkeys(statement.constraints) if c not in bounds]
        condition = f"if ({' && '.join(guards)}) " if guards else ""
        yield pad + condition + body(statement, {})

    loops = {n.name: n for n in program.loops}
    by_name = {s.name: s for s in program.statements}
    return _function(program, list(visit(original(program).body, 1)))


def generate(analysis: Analysis, schedule: Schedule, *, threads: bool = False) -> str:
    """The program in the order of a legal schedule. ``threads``: parallel loops are marked for OpenMP.

    Raises OutOfOperations and TooLong."""
    with analysis.budget(analysis.generous):
        tree = analysis.isl.Schedule.read_from_str(analysis.context, _Tree(analysis, schedule).text())
        return printed(analysis, tree, schedule, threads=threads)


def printed(analysis: Analysis, tree: Any, schedule: Schedule | None, *, threads: bool = False) -> str:
    """The C of an isl schedule; ``schedule`` is the tree of ours that it came from, if any, and tells marks."""
    build = analysis.isl.AstBuild.from_context(analysis.context_set)
    node = build.node_from_schedule(tree)
    lines, length = [], 0
    for line in _Printer(analysis, schedule, threads).node(node, 1):
        lines.append(line)
        length += len(line)
        if length > MOST_TEXT:
            raise TooLong(f"the program would have more than {MOST_TEXT} characters")
    return _function(analysis.program, lines)


def body(statement: Statement, values: dict[str, str]) -> str:
    """A statement in C, its iterators replaced by the texts ``values``."""
    return f"{_element(statement.write, values)} = {_expression(statement.value, values)};"


def _function(program: Program, lines: list[str]) -> str:
    arguments = [f"const long {name}" for name in program.sizes]
    arguments += [f"double *restrict {a.name}_" for a in program.arrays]
    head = [f"void kernel({', '.join(arguments)})", "{"]
    for array in program.arrays:
        inner = "".join(f"[{extent}]" for extent in array.shape[1:])
        name = f"(*restrict {array.name}){inner}" if inner else f"*restrict {array.name}"
        cast = f"(double (*){inner})" if inner else ""
        head.append(f"  double {name} = {cast}{array.name}_;")
    return PROLOGUE + "\n".join([*head, *lines, "}"]) + "\n"


def _element(access: Access, values: dict[str, str]) -> str:
    return access.array + "".join(f"[{_form(s, values)}]" for s in access.subscripts)


def _form(form: Affine, values: dict[str, str]) -> str:
    parts = [
        (f"{c} * " if c not in (1, -1) else "-" if c < 0 else "") + values.get(n, n) for n, c in form.terms
    ]
    if form.constant or not parts:
        parts.append(str(form.constant))
    return " + ".join(parts).replace("+ -", "- ")


def _expression(e: Expression, values: dict[str, str]) -> str:
    inner = [_expression(a, values) for a in e.arguments]
    match e.kind:
        case "number":
            return f"({e.value!r})" if math.copysign(1.0, e.value) < 0 else repr(e.value)
        case "read":
            assert e.access is not None
            return _element(e.access, values)
        case "index":
            assert e.affine is not None
            return f"(double)({_form(e.affine, values)})"
        case "neg":
            return f"(-{inner[0]})"
        case "if":
            return f"({inner[0]} ? {inner[1]} : {inner[2]})"
        case kind if kind in CALLS:
            return f"{CALLS[kind]}({', '.join(inner)})"
    return f"({inner[0]} {e.kind} {inner[1]})"


def _extreme(function: str, texts: list[str]) -> str:
    """Nested calls of a two-place minimum or maximum."""
    found = texts[0]
    for text in texts[1:]:
        found = f"{function}({found}, {text})"
    return found


class _Tree:
    """Our tree in isl's notation for schedule trees."""

    def __init__(self, analysis: Analysis, schedule: Schedule) -> None:
        self._analysis, self._schedule = analysis, schedule
        self._statements = {s.name: s for s in analysis.program.statements}

    def text(self) -> str:
        whole = None
        for name in self._schedule.statements:
            one = self._analysis.isl.UnionSet.from_set(self._analysis.domain(name))
            whole = one if whole is None else whole.union(one)
        child = self._sequence(self._schedule.body)
        return f'{{ domain: "{whole}"{child} }}'

    def _sequence(self, nodes: tuple[Node, ...]) -> str:
        if len(nodes) == 1:
            return self._child(nodes[0])
        parts = []
        for node in nodes:
            names = statements((node,))
            filters = "; ".join(self._tuple(name) for name in names)
            parts.append(f'{{ filter: "{self._analysis.parameters}{{ {filters} }}"{self._child(node)} }}')
        return f", child: {{ sequence: [ {', '.join(parts)} ] }}"

    def _child(self, node: Node) -> str:
        if isinstance(node, Leaf):
            return ""
        rows = "; ".join(f"{self._tuple(s)} -> [({row})]" for s, row in node.rows)
        options = f', options: "{o}"' if (o := self._options(node)) else ""
        band = f'schedule: "[{{ {rows} }}]"{options}'
        return f", child: {{ {band}{self._sequence(node.body)} }}"

    def _tuple(self, name: str) -> str:
        return f"{name}[{', '.join(self._statements[name].iterators)}]"

    def _options(self, nest: Nest) -> str:
        """Below which loop written-out ones begin: the part of it in which all their iterations are there."""
        inner = list(self._schedule.chain(nest.name)[1:])
        if nest.mark == "unroll" or not inner or any(n.mark != "unroll" for n in inner):
            return ""
        outer = [*self._schedule.around[nest.name], nest.name]
        loops = [self._schedule.nests[n] for n in outer]
        full = None
        for name in nest.row:
            rows = tuple(n.row[name] for n in [*loops, *inner])
            image = self._analysis.domain(name).apply(self._analysis.map(name, rows))
            for point in itertools.product(*(range(n.factor) for n in inner)):
                there = image
                for k, value in enumerate(point):
                    there = there.fix_val(self._analysis.isl.dim_type.set, len(outer) + k, value)
                there = there.project_out(self._analysis.isl.dim_type.set, len(outer), len(inner))
                full = there if full is None else full.intersect(there)
        if full is None or full.is_empty():
            return ""
        names = [f"o{k}" for k in range(len(outer))]
        *around, last = names
        wrapped = f"isolate[[{', '.join(around)}] -> [{last}]]"
        isolate = self._analysis.isl.Map.read_from_str(
            self._analysis.context, f"{{ [{', '.join(names)}] -> {wrapped} }}"
        )
        return str(full.coalesce().apply(isolate))


class _Printer:
    """isl's syntax tree as lines of C."""

    def __init__(self, analysis: Analysis, schedule: Schedule | None, threads: bool) -> None:
        self._analysis, self._schedule, self._threads = analysis, schedule, threads
        self._isl = analysis.isl
        self._statements = {s.name: s for s in analysis.program.statements}

    def node(self, node: Any, depth: int) -> Iterator[str]:
        kind = node.get_type()
        kinds = self._isl.ast_node_type
        if kind == kinds.for_:
            yield from self._for(node, depth)
        elif kind == kinds.if_:
            pad = "  " * depth
            yield f"{pad}if ({node.if_get_cond().to_C_str()}) {{"
            yield from self.node(node.if_get_then_node(), depth + 1)
            if node.if_has_else_node():
                yield f"{pad}}} else {{"
                yield from self.node(node.if_get_else_node(), depth + 1)
            yield f"{pad}}}"
        elif kind == kinds.block:
            children = node.block_get_children()
            for k in range(children.n_ast_node()):
                yield from self.node(children.get_at(k), depth)
        elif kind == kinds.mark:
            yield from self.node(node.mark_get_node(), depth)
        else:
            yield "  " * depth + self._statement(node.user_get_expr())

    def _statement(self, call: Any) -> str:
        arguments = [call.get_op_arg(k) for k in range(call.get_op_n_arg())]
        statement = self._statements[arguments[0].to_C_str()]
        values = {
            n: _bracketed(a.to_C_str()) for n, a in zip(statement.iterators, arguments[1:], strict=True)
        }
        return body(statement, values)

    def _for(self, node: Any, depth: int) -> Iterator[str]:
        pad = "  " * depth
        iterator = node.for_get_iterator().to_C_str()
        start = node.for_get_init()
        inside = node.for_get_body()
        if node.for_is_degenerate():
            yield f"{pad}{{ const long {iterator} = {start.to_C_str()};"
            yield from self.node(inside, depth + 1)
            yield f"{pad}}}"
            return
        nest = self._nest(node, iterator)
        end, step = node.for_get_cond(), node.for_get_inc()
        if (
            nest is not None
            and nest.mark == "unroll"
            and (values := self._constant(start, end, step)) is not None
            and len(values) <= nest.factor
        ):
            for value in values:
                yield f"{pad}{{ const long {iterator} = {value};"
                yield from self.node(inside, depth + 1)
                yield f"{pad}}}"
            return
        yield from self._pragmas(nest, pad)
        yield (
            f"{pad}for (long {iterator} = {start.to_C_str()}; {end.to_C_str()}; {iterator} += {step.to_C_str()}) {{"
        )
        yield from self.node(inside, depth + 1)
        yield f"{pad}}}"

    def _pragmas(self, nest: Nest | None, pad: str) -> Iterator[str]:
        if nest is None:
            return
        if nest.mark == "parallel" and self._threads:
            yield f"{pad}#pragma omp parallel for"
        if nest.mark == "vector":
            yield f"{pad}#pragma GCC ivdep"
        shared = (
            nest.mark == "parallel" and self._threads
        )  # between OpenMP's mark and the loop nothing may stand
        if nest.factor and nest.mark != "unroll" and not shared:
            yield f"{pad}#pragma GCC unroll {nest.factor}"

    def _constant(self, start: Any, end: Any, step: Any) -> range | None:
        """The values of a loop whose bounds are numbers."""
        kinds = self._isl.ast_expr_type
        last = end.get_op_arg(1) if end.get_type() == kinds.op and end.get_op_n_arg() == 2 else None
        if last is None or any(e.get_type() != kinds.int for e in (start, last, step)):
            return None
        low, high, by = (int(e.get_val().to_python()) for e in (start, last, step))
        strict = end.get_op_type() == self._isl.ast_expr_op_type.lt
        return range(low, high + (not strict), by)

    def _nest(self, node: Any, iterator: str) -> Nest | None:
        """The loop of our tree that a loop of isl's is: the one at its depth around any statement below."""
        if self._schedule is None:
            return None
        loops = self._schedule.loops_of(self._first(node.for_get_body()))
        return loops[int(iterator[1:])]

    def _first(self, node: Any) -> str:
        """Some statement below."""
        kinds = self._isl.ast_node_type
        while (kind := node.get_type()) != kinds.user:
            if kind == kinds.for_:
                node = node.for_get_body()
            elif kind == kinds.if_:
                node = node.if_get_then_node()
            elif kind == kinds.mark:
                node = node.mark_get_node()
            else:
                node = node.block_get_children().get_at(0)
        return str(node.user_get_expr().get_op_arg(0).to_C_str())


def _bracketed(text: str) -> str:
    return text if text.isalnum() else f"({text})"
