"""What one parent has goes into the other, by type: a term of a sum, or an expression in the place of another."""

from __future__ import annotations

import ast

from discovery import syntax
from discovery.proposers.genetic.chance import Chance
from discovery.proposers.genetic.edits import SIMPLE, Bench
from discovery.proposers.genetic.expressions import Env, Site
from discovery.proposers.genetic.program import MAX_PARAMETERS, Change, Parameter, Program
from discovery.proposers.genetic.trees import names_in, rebuilt, walk
from discovery.proposers.genetic.types import Type, alike


def combine(first: Program, second: Program, chance: Chance) -> Change | None:
    """A change of ``first`` by something of ``second``; None when nothing fits."""
    bench = Bench(first, chance)
    site = bench.growing()
    if site is None:
        return None
    shape = chance.weighted(((3.0, _transplant), (4.0, _exchange), (1.5, _blend)))
    return shape(bench, site, second)


def _transplant(bench: Bench, site: Site, second: Program) -> Change | None:
    """``e`` → ``e + t`` with a summand t of the second parent."""
    terms = [
        (node.op, node.right, s)
        for s in second.analysis.sites
        if isinstance(node := s.node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub)
        and s.type.rank == site.type.rank and alike(s.type.unit, site.type.unit) and second.size(node.right) > 1
    ]  # fmt: skip
    if not terms:
        return None
    op, term, source = bench.chance.pick(terms)
    moved = _moved(bench, term, source, site, second)
    return None if moved is None else _put(bench, site, ast.BinOp(site.node, op, moved))


def _exchange(bench: Bench, site: Site, second: Program) -> Change | None:
    """An expression of the second parent in the place of one of the first, of the same part in it if there is one."""
    source = _counterpart(bench, site, second)
    moved = _moved(bench, source.node, source, site, second) if source is not None else None
    return None if moved is None else _put(bench, site, moved)


def _blend(bench: Bench, site: Site, second: Program) -> Change | None:
    """The mean of both parents' expressions, weighted by a new parameter."""
    source = _counterpart(bench, site, second)
    if (
        source is None
        or bench.program.size(site.node) + second.size(source.node) > SIMPLE
        or isinstance(site.node, ast.Constant)
    ):
        return None
    moved = _moved(bench, source.node, source, site, second)
    if moved is None:
        return None
    share = bench.parameter(bench.chance.pick((0.25, 0.5, 0.75)), {"low": 0.0, "high": 1.0})
    mean = syntax.expression(f"(1 - {share}) * _a + {share} * _b")
    parts: dict[int, ast.AST | None] = {}
    for node in ast.walk(mean):
        if isinstance(node, ast.Name) and node.id in ("_a", "_b"):
            parts[id(node)] = site.node if node.id == "_a" else moved
    return _put(bench, site, rebuilt(mean, parts))


def _counterpart(bench: Bench, site: Site, second: Program) -> Site | None:
    pool = [
        (s.weight * (4.0 if s.role == site.role else 1.0), s)
        for s in second.analysis.sites
        if s.type.rank == site.type.rank and alike(s.type.unit, site.type.unit)
        and second.size(s.node) <= SIMPLE and not isinstance(s.node, ast.Constant)
    ]  # fmt: skip
    return bench.chance.weighted(pool) if pool else None


def _put(bench: Bench, site: Site, new: ast.expr) -> Change | None:
    """Check that the shape stands, in the first parent's own types."""
    values = {k: Type(0, "float", None, None) for k in bench.change.parameters}
    found = bench.program.analysis.infer(new, {**site.env, **values})
    if found is None or not found.numeric or found.rank != site.type.rank:
        return None
    if found.rank and found.dim != site.type.dim:
        return None
    if ast.dump(new) == ast.dump(site.node):
        return None
    bench.change.swaps[id(site.node)] = new
    return bench.change


def _moved(bench: Bench, node: ast.expr, source: Site, site: Site, second: Program) -> ast.expr | None:
    """A copy of ``node`` in which every name means something at ``site``; parameters are taken along. None if a local
    of the second parent has no counterpart, or the parameters become too many."""
    table: dict[str, str] = {}
    arguments = {v.name for v in second.interface.arguments}
    for name in names_in(node):
        if name in arguments:
            continue
        if name == second.numpy and second.analysis.numpy:
            table[name] = bench.program.numpy
        elif name in second.parameters:
            table[name] = _parameter(bench, name, second.parameters[name])
        elif name in source.env:
            found = _namesake(name, source.env, site.env, bench.program)
            if found is None:
                return None
            table[name] = found
        elif name not in ("max", "min", "abs", "len", "float", "sum"):
            return None
    if len(bench.program.parameters) + len(bench.change.parameters) > MAX_PARAMETERS:
        return None
    renames: dict[int, ast.AST | None] = {
        id(n): ast.Name(table[n.id], ast.Load())
        for n in walk(node)
        if isinstance(n, ast.Name) and table.get(n.id, n.id) != n.id
    }
    moved = rebuilt(node, renames)
    assert isinstance(moved, ast.expr)
    return moved


def _parameter(bench: Bench, name: str, found: Parameter) -> str:
    """The parameter's name in the first parent: shared if both have it alike, new if the name is taken."""
    if bench.program.parameters.get(name) == found:
        return name
    if name in bench.program.names or name in bench.change.parameters:
        name = bench.program.free_name(bench.change.parameters)
    bench.change.parameters[name] = found
    return name


def _namesake(name: str, theirs: Env, ours: Env, program: Program) -> str | None:
    wanted = theirs[name]
    if name in ours and _like(wanted, ours[name]):
        return name
    for other, found in ours.items():
        if other not in program.parameters and _like(wanted, found):
            return other
    return None


def _like(a: Type, b: Type) -> bool:
    return (
        a.rank == b.rank
        and (a.dtype == "bool") == (b.dtype == "bool")
        and (a.indexes is None) == (b.indexes is None)
        and (a.dim is None) == (b.dim is None)
        and a.plain == b.plain
        and (a.indexes is not None or alike(a.unit, b.unit))
    )
