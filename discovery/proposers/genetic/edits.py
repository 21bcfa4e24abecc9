"""The edits: each takes a program and one typed place in it and gives a change, or None where it does not fit."""

from __future__ import annotations

import ast
from collections.abc import Callable

from discovery import syntax
from discovery.lifting import numeric
from discovery.proposers.genetic.chance import Chance, rounded
from discovery.proposers.genetic.expressions import Env, Site
from discovery.proposers.genetic.growth import Scope, positive
from discovery.proposers.genetic.program import MAX_PARAMETERS, Change, Parameter, Program, literal
from discovery.proposers.genetic.trees import walk
from discovery.proposers.genetic.types import ANY, NUMBER, POSITIVE, alike

Edit = Callable[["Bench"], "Change | None"]

WEIGHTS = (0.05, 0.1, 0.2, 0.3, 0.5, 1.0)
SCALES = (0.7, 0.8, 0.9, 1.1, 1.25, 1.5)
STEPS = (0.5, 0.67, 0.8, 0.9, 1.1, 1.25, 1.5, 2.0)
SIMPLE = 36
"""An expression with more nodes than this grows no further."""
ARRAYS = 3.0
"""How much likelier an array is edited than a scalar: arrays are what decisions compare."""


class Bench:
    """One edit in the making: the program, the draws and the change so far."""

    def __init__(self, program: Program, chance: Chance) -> None:
        self.program = program
        self.chance = chance
        self.change = Change()
        self._parameters = frozenset(program.parameters)

    def site(self, accept: Callable[[Site], bool] = lambda _: True) -> Site | None:
        """A typed expression, drawn by how promising it is."""
        pool = [
            (s.weight * (ARRAYS if s.type.rank else 1.0), s)
            for s in self.program.analysis.sites
            if not isinstance(s.node, ast.Constant) and accept(s)
        ]
        return self.chance.weighted(pool) if pool else None

    def growing(self, limit: int = SIMPLE) -> Site | None:
        """A typed expression that is small enough to grow."""
        return self.site(lambda s: self.program.size(s.node) <= limit)

    def scope(self, site: Site) -> Scope:
        analysis = self.program.analysis
        return Scope(
            site.env, site.type.dim, self.program.numpy, self._parameters, self.chance, analysis.positions
        )

    def weight(self, signed: bool = True) -> str:
        """A new parameter for a weight of a summand; a plain number when there are parameters enough."""
        value = self.chance.pick(WEIGHTS)
        if signed and self.chance.flip(0.4):
            value = -value
        return self.parameter(value, {"low": -2.0, "high": 2.0})

    def scale(self) -> str:
        """A new parameter around 1."""
        return self.parameter(self.chance.pick(SCALES), {"low": 0.25, "high": 4.0, "log": True})

    def parameter(self, value: float, entry: object) -> str:
        if len(self.program.parameters) + len(self.change.parameters) >= MAX_PARAMETERS:
            return f"({value!r})"
        name = self.program.free_name(self.change.parameters)
        self.change.parameters[name] = Parameter(value, entry)
        return name

    def put(self, site: Site, template: str) -> Change | None:
        """Replace the site by a template in which ``_e`` stands for what is there now."""
        new = syntax.expression(template)
        filled = _filled(new, site.node)
        found = self.program.analysis.infer(filled, {**site.env, **_numbers(self.change)})
        if found is None or found.rank != site.type.rank or (found.rank and found.dim != site.type.dim):
            return None
        self.change.swaps[id(site.node)] = filled
        return self.change

    def extreme(self, name: str, site: Site) -> str:
        """``np.maximum`` for arrays, ``max`` for scalars (or the minimum)."""
        return f"{self.program.numpy}.{name}imum" if site.type.rank else name


def _numbers(change: Change) -> Env:
    return dict.fromkeys(change.parameters, NUMBER)


class _Fill(ast.NodeTransformer):
    def __init__(self, old: ast.expr) -> None:
        self.old = old

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.old if node.id == "_e" else node


def _filled(new: ast.expr, old: ast.expr) -> ast.expr:
    found = _Fill(old).visit(new)
    assert isinstance(found, ast.expr)
    return found


def _rank(bench: Bench, site: Site) -> int:
    """Mostly arrays join arrays: a constant added to all that is compared changes nothing."""
    return 1 if site.type.rank and not bench.chance.flip(0.15) else 0


def add_term(bench: Bench) -> Change | None:
    """``e`` → ``e + w * t``."""
    site = bench.growing()
    if site is None:
        return None
    term = bench.scope(site).term(site.type.unit, _rank(bench, site))
    return None if term is None else bench.put(site, f"_e + {bench.weight()} * {term[0]}")


def add_factor(bench: Bench) -> Change | None:
    """``e`` → ``e * (1 + w * r)`` for a ratio r, or ``e * r ** w`` where r is positive."""
    site = bench.growing()
    ratio = bench.scope(site).ratio(_rank(bench, site)) if site is not None else None
    if site is None or ratio is None:
        return None
    if ratio[1].sign == POSITIVE and bench.chance.flip(0.35):
        return bench.put(site, f"_e * ({ratio[0]}) ** {bench.weight()}")
    return bench.put(site, f"_e * (1 + {bench.weight()} * ({ratio[0]}))")


def scale(bench: Bench) -> Change | None:
    """``e`` → ``w * e``."""
    site = bench.site(lambda s: bench.program.size(s.node) <= SIMPLE and not _scaled(s.node, bench.program))
    return None if site is None else bench.put(site, f"{bench.scale()} * _e")


def _scaled(node: ast.expr, program: Program) -> bool:
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Mult)
        and any(isinstance(n, ast.Name) and n.id in program.parameters for n in (node.left, node.right))
    )


def bound(bench: Bench) -> Change | None:
    """``e`` → the larger or the smaller of ``e`` and another quantity."""
    site = bench.growing()
    if site is None:
        return None
    scope = bench.scope(site)
    term = scope.term(site.type.unit, _rank(bench, site))
    if term is None:
        return None
    name = bench.extreme(bench.chance.pick(("max", "min")), site)
    second = f"{bench.scale()} * {term[0]}" if bench.chance.flip(0.3) else term[0]
    return bench.put(site, f"{name}(_e, {second})")


def replace(bench: Bench) -> Change | None:
    """An expression gives way to a terminal, or to another expression of the function, of its type and unit."""
    site = bench.growing()
    if site is None:
        return None
    if bench.chance.flip(0.3):
        others = [
            s.node
            for s in bench.program.analysis.sites
            if s is not site and s.env == site.env and s.type.rank == site.type.rank and s.type.dim == site.type.dim
            and alike(s.type.unit, site.type.unit) and not isinstance(s.node, ast.Constant)
        ]  # fmt: skip
        if others:
            bench.change.swaps[id(site.node)] = bench.chance.pick(others)
            return bench.change
    term = bench.scope(site).term(site.type.unit, _rank(bench, site))
    if term is None or site.type.unit is None:
        return None
    return bench.put(site, term[0] if bench.chance.flip(0.6) else f"{bench.scale()} * {term[0]}")


def operator(bench: Bench) -> Change | None:
    """Another operator of the same shape: maximum ↔ minimum, + ↔ −, mean ↔ maximum, < ↔ >."""
    if bench.program.analysis.conditions and bench.chance.flip(0.25):
        spot = bench.chance.pick(bench.program.analysis.conditions).node
        if isinstance(spot, ast.Compare):
            turned = {ast.Lt: ast.Gt, ast.Gt: ast.Lt, ast.LtE: ast.GtE, ast.GtE: ast.LtE}.get(
                type(spot.ops[0])
            )
            if turned is None:
                return None
            bench.change.swaps[id(spot)] = ast.Compare(spot.left, [turned()], spot.comparators)
            return bench.change
    site = bench.site(lambda s: isinstance(s.node, ast.BinOp | ast.Call))
    if site is None:
        return None
    node = site.node
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Sub):
        other: ast.operator = ast.Sub() if isinstance(node.op, ast.Add) else ast.Add()
        bench.change.swaps[id(node)] = ast.BinOp(node.left, other, node.right)
        return bench.change
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        choices = _ALTERNATIVES.get(node.func.attr)
        if choices:
            called = ast.Attribute(node.func.value, bench.chance.pick(choices), ast.Load())
            bench.change.swaps[id(node)] = ast.Call(called, node.args, node.keywords)
            return bench.change
    return None


_ALTERNATIVES = {
    "maximum": ("minimum",),
    "minimum": ("maximum",),
    "mean": ("max", "min", "median"),
    "max": ("mean", "min"),
    "min": ("mean", "max"),
    "median": ("mean",),
}


def perturb(bench: Bench) -> Change | None:
    """A parameter's default or a literal takes a step; a range that it leaves is widened."""
    names = [k for k, p in bench.program.parameters.items()]
    sites = [
        s for s in bench.program.analysis.sites if isinstance(s.node, ast.Constant) and s.node.value != 0
    ]
    if names and (not sites or bench.chance.flip(0.8)):
        name = bench.chance.pick(names)
        old = bench.program.parameters[name]
        bench.change.parameters[name] = _stepped(old, bench.chance)
        return bench.change
    if not sites:
        return None
    node = bench.chance.pick(sites).node
    assert isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    bench.change.swaps[id(node)] = literal(_step(node.value, bench.chance))
    return bench.change


def number(bench: Bench) -> Change | None:
    """A number anywhere in the module takes a step, whatever it is joined with: where values are objects, hardly any
    expression has a type."""
    program = bench.program
    known = {f.function for f in program.interface.functions}
    functions = [n for n in program.tree.body if isinstance(n, ast.FunctionDef) and n.name in known]
    found = [node for _, node in numeric(program.tree, functions)]
    if not found:
        return None
    node = bench.chance.pick(found)
    assert isinstance(node.value, int | float)
    bench.change.swaps[id(node)] = literal(_step(node.value, bench.chance))
    return bench.change


def _step(value: float, chance: Chance) -> float | int:
    if isinstance(value, int):
        return value + (1 if chance.flip(0.5) or value == 1 else -1)
    return rounded(value * chance.pick(STEPS), 3)


def _stepped(old: Parameter, chance: Chance) -> Parameter:
    if isinstance(old.entry, list) and len(old.entry) > 1:
        others = [c for c in old.entry if c != old.default]
        return Parameter(chance.pick(others), old.entry)
    if isinstance(old.default, str):
        return old
    entry = old.entry
    low, high = (entry["low"], entry["high"]) if isinstance(entry, dict) else (None, None)
    if isinstance(old.default, int):
        value: float | int = _step(old.default, chance)
    elif old.default == 0:
        value = chance.pick(WEIGHTS)
    elif low is not None and low < 0 and chance.flip(0.15):
        value = -old.default
    else:
        value = rounded(old.default * chance.pick(STEPS), 3)
    if low is None or high is None:
        return Parameter(value, entry)
    log = bool(entry.get("log"))
    if isinstance(low, int) and isinstance(high, int):
        kept = max(value, 1) if log else value
        return Parameter(int(kept), {**entry, "low": min(low, int(kept)), "high": max(high, int(kept))})
    return Parameter(float(value), {**entry, "low": min(low, float(value)), "high": max(high, float(value))})


def lift(bench: Bench) -> Change | None:
    """A literal becomes a parameter."""
    sites = [
        s for s in bench.program.analysis.sites if isinstance(s.node, ast.Constant) and s.node.value != 0
    ]
    if not sites or len(bench.program.parameters) >= MAX_PARAMETERS:
        return None
    node = bench.chance.pick(sites).node
    assert isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    value = float(node.value)
    name = bench.parameter(value, {"low": rounded(value / 4), "high": rounded(value * 4), "log": True})
    bench.change.swaps[id(node)] = ast.Name(name, ast.Load())
    return bench.change


def soften(bench: Bench) -> Change | None:
    """The larger (or smaller) of two becomes a weighted mix of both, or a smooth curve past the corner."""
    site = bench.site(lambda s: _extreme(s.node) and bench.program.size(s.node) <= SIMPLE)
    if site is None or not isinstance(site.node, ast.Call):
        return None
    a, b = (ast.unparse(n) for n in site.node.args)
    if bench.chance.flip(0.5):
        share = bench.parameter(bench.chance.pick((0.05, 0.1, 0.2)), {"low": -1.0, "high": 1.0})
        return bench.put(site, f"_e + {share} * ({bench.chance.pick((a, b))} - _e)")
    width = bench.scope(site).aggregate(site.type.unit)
    if width is None:
        return None
    spread = f"{bench.weight(signed=False)} * {width[0]}"
    root = f"{bench.program.numpy}.sqrt(({a} - {b}) ** 2 + ({spread}) ** 2)"
    return bench.put(site, f"({a} + {b} + {root}) / 2")


def _extreme(node: ast.expr) -> bool:
    return isinstance(node, ast.Call) and len(node.args) == 2 and (
        (isinstance(node.func, ast.Attribute) and node.func.attr in ("maximum", "minimum"))
        or (isinstance(node.func, ast.Name) and node.func.id in ("max", "min"))
    )  # fmt: skip


def wrap(bench: Bench) -> Change | None:
    """A curve: square over a typical size, root times a typical root, exponential decay of a ratio, or abs."""
    site = bench.growing(SIMPLE // 2)
    if site is None:
        return None
    numpy, scope = bench.program.numpy, bench.scope(site)
    shape = bench.chance.weighted(((3.0, "square"), (2.0, "root"), (3.0, "decay"), (0.5, "abs")))
    if shape == "abs":
        return bench.put(site, "abs(_e)") if site.type.sign == ANY else None
    if shape == "decay":
        ratio = scope.ratio(_rank(bench, site))
        if ratio is None:
            return None
        fall = f"{numpy}.exp(-{numpy}.abs({ratio[0]}))"
        return bench.put(site, f"_e * (1 + {bench.weight()} * {fall})")
    typical = scope.aggregate(site.type.unit)
    if typical is None:
        return None
    if shape == "square":
        return bench.put(site, f"_e * _e / {positive(typical, numpy)}")
    return bench.put(site, f"{numpy}.sqrt({numpy}.abs(_e * {typical[0]}))")


def choose(bench: Bench) -> Change | None:
    """``e`` → one of two variants of it by a comparison of like quantities."""
    site = bench.growing()
    if site is None:
        return None
    scope = bench.scope(site)
    rank = _rank(bench, site)
    condition, term = scope.condition(None, rank), scope.term(site.type.unit, rank)
    if condition is None or term is None:
        return None
    other = f"_e + {bench.weight()} * {term[0]}" if bench.chance.flip(0.8) else term[0]
    if site.type.rank:
        return bench.put(site, f"{bench.program.numpy}.where({condition}, {other}, _e)")
    return bench.put(site, f"({other} if {condition} else _e)")


def drop_term(bench: Bench) -> Change | None:
    """An expression gives way to a part of itself of the same type: a summand, a factor or a case is gone."""
    inner = {id(s.node): s for s in bench.program.analysis.sites}

    def parts(site: Site) -> list[ast.expr]:
        node, found = site.node, []
        children = [n for n in ast.iter_child_nodes(node) if isinstance(n, ast.expr)]
        for child in [
            *children,
            *(c for n in children for c in ast.iter_child_nodes(n) if isinstance(c, ast.expr)),
        ]:
            part = inner.get(id(child))
            if part is not None and part.type.rank == site.type.rank and part.type.dim == site.type.dim:
                found.append(child)
        return found

    site = bench.site(lambda s: isinstance(s.node, ast.BinOp | ast.Call | ast.IfExp) and bool(parts(s)))
    if site is None:
        return None
    bench.change.swaps[id(site.node)] = bench.chance.pick(parts(site))
    return bench.change


def drop_statement(bench: Bench) -> Change | None:
    if not bench.program.analysis.actions:
        return None
    bench.change.swaps[id(bench.chance.pick(bench.program.analysis.actions).node)] = None
    return bench.change


def fix(bench: Bench) -> Change | None:
    """A parameter becomes the number that it is."""
    numbers = [k for k, p in bench.program.parameters.items() if not isinstance(p.default, str)]
    if not numbers:
        return None
    name = bench.chance.pick(numbers)
    value = bench.program.parameters[name].default
    for node in walk(bench.program.function):
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Load):
            bench.change.swaps[id(node)] = literal(value)
    return bench.change


IMPROVE: tuple[tuple[float, Edit], ...] = (
    (10.0, add_term),
    (5.0, add_factor),
    (1.5, scale),
    (1.5, bound),
    (2.0, replace),
    (0.7, operator),
    (2.0, perturb),
    (0.3, lift),
    (0.7, soften),
    (2.0, wrap),
    (1.0, choose),
    (1.5, drop_term),
    (0.2, drop_statement),
)
OF_OBJECTS: tuple[tuple[float, Edit], ...] = (*IMPROVE, (20.0, number))
"""The same for tasks whose values are objects."""
SIMPLIFY: tuple[tuple[float, Edit], ...] = ((6.0, drop_term), (1.5, drop_statement), (1.0, fix))
"""How often each edit is tried; the shares come from benchmarks/genetic.py."""
