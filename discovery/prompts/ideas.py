"""One concrete change for a small model, drawn by the slot and worded from the interface data.

A model of one or two billion parameters rewrites what it is shown rather than change what the code decides. Told which
one line to change, with real argument names and a parameter whose number is tuned afterwards, it does. No idea knows a
task: a term is made of one or two arguments by their types and units, as the genetic proposer makes its own.
"""

from __future__ import annotations

import ast
import random
import re
from collections.abc import Sequence
from dataclasses import dataclass

from discovery.candidate import Refused, parse
from discovery.draws import generator
from discovery.prompts.quoting import one_line
from discovery.proposers.base import Request
from evaluators.task import Interface, Value

MAX_LINE = 160
"""Characters of a line that is quoted."""


@dataclass(frozen=True)
class Idea:
    """``change``: what to do, one sentence, and the ``line`` of the first parent where (empty: where it fits).
    ``parameter``: the new keyword parameter, its default and its range."""

    change: str
    parameter: str
    default: float
    low: float
    high: float
    line: str = ""

    @property
    def space(self) -> str:
        """The entry of SEARCH_SPACE."""
        return f'"{self.parameter}": {{"low": {self.low}, "high": {self.high}}}'


def idea_of(request: Request) -> Idea | None:
    """The idea of a request for new code; None where the operator says all there is to say, and where values are
    objects."""
    if request.brief.interface.objects:  # whose parts have no types here
        return None
    draw = generator(request.seed, request.slot, 0, "idea")
    code = request.edited[0] if request.edited else ""
    taken = "\n".join(request.edited)
    value = decided(request.brief.interface)
    terms = _terms(request.brief.interface, draw)
    if request.operator == "combine" and len(request.parents) > 1:
        return _blended(value, _free("share", taken), _condition(request.brief.interface, draw), draw)
    if request.operator == "create":
        name = _free("weight", "")
        change = (
            f"let {value} be `{terms[0]} + {name} * {terms[1]}`, and set both terms right where they mislead"
        )
        return Idea(change, name, 0.5, -2.0, 2.0)
    if request.operator != "improve":
        return None
    return _improved(request.brief.interface, code, terms[0], draw)


def _improved(interface: Interface, code: str, term: str, draw: random.Random) -> Idea:
    """A factor on one use of an argument, or a weighted term, in some cases only."""
    roll = draw.random()
    if roll < 0.25:
        name = _free("factor", code)
        changed = draw.choice(_numeric(interface)).name
        uses = _lines(code, interface.function, changed)
        change = f"multiply `{changed}` by the new parameter `{name}` in one place where it is used"
        return Idea(change, name, draw.choice((0.8, 1.2)), 0.25, 4.0, draw.choice(uses) if uses else "")
    name, value = _free("weight", code), decided(interface)
    change = f"to {value}, computed as now, add the term `{name} * {term}`"
    if roll < 0.4:
        where = _condition(interface, draw)
        change = f"to {value}, computed as now, add `np.where({where}, {name} * {term}, 0)`"
    ends = [] if interface.returns.kind == "permutation" else _lines(code, interface.function, "return")
    return Idea(change, name, 0.2, -1.0, 1.0, ends[-1] if ends else "")


def decided(interface: Interface) -> str:
    """What the code decides by, in words."""
    returns = interface.returns
    if returns.kind == "permutation":
        return "the number by which the code orders or chooses"
    return f"the {returns.name} that is returned" + (" for each entry" if returns.kind != "scalar" else "")


def shape(interface: Interface) -> str:
    """What must be returned, and what a hasty reply returns instead."""
    returns = interface.returns
    like = next(
        (a.name for a in interface.arguments if a.length is not None and a.length == returns.length), None
    )
    if returns.kind == "permutation":
        size = f"`len({like})`" if like else "n"
        return f"Return a numpy array with each index from 0 to {size} - 1 exactly once."
    if returns.kind == "object":
        return f"Return {returns.name} as described above, made of what is described there and nothing else."
    if returns.kind == "scalar":
        return f"Return one {returns.dtype} number."
    entries = f"for each entry of `{like}`, in the same order" if like else "for each entry"
    what = "bool" if returns.kind == "mask" else "number"
    return f"Return a numpy array with one {what} {entries}: not an index, not one number, not a sorted list."


def _blended(value: str, name: str, condition: str, draw: random.Random) -> Idea:
    forms = (
        f"`first + {name} * (second - first)`",
        f"`np.maximum(first, {name} * second)`",
        f"`np.where({condition}, first, first + {name} * (second - first))`",
    )
    change = (
        f"compute {value} as code 1 does and name it `first`, compute it as code 2 does and name it `second`, and "
        f"decide by {draw.choice(forms)} instead"
    )
    return Idea(change, name, 0.2, 0.0, 1.0)


def _numeric(interface: Interface) -> list[Value]:
    """The arguments that are numbers, those with an entry for each thing that is decided on first."""
    numbers = [a for a in interface.arguments if a.kind in ("array", "scalar") and a.dtype != "bool"]
    return sorted(numbers, key=lambda a: a.kind != "array") or list(interface.arguments)


def _terms(interface: Interface, draw: random.Random) -> list[str]:
    """Two terms of different form, each in the unit of an argument."""
    numbers = _numeric(interface)
    arrays = [a for a in numbers if a.kind == "array"] or numbers
    a = draw.choice(arrays)
    other = _alike(a, numbers, draw)
    plain = a.name
    forms = [plain, plain]
    if other is not None:
        forms += [f"np.maximum({plain} - {other.name}, 0)", f"np.minimum({plain}, {other.name})"]
        forms += [f"np.abs({plain} - {other.name})"]
    if a.kind == "array":
        b = draw.choice(arrays)
        forms += [
            f"{plain} * {b.name} / (1 + {b.name}.mean())",
            f"np.where({plain} > {plain}.mean(), {plain}, 0)",
        ]
        forms += [f"{plain} / len({plain})"]
    if a.low is not None and a.low >= 0:
        forms += [f"np.sqrt({plain})"]
    first = draw.choice(forms)
    rest = [f for f in forms if f != first]
    return [first, draw.choice(rest) if rest else first]


def _condition(interface: Interface, draw: random.Random) -> str:
    numbers = _numeric(interface)
    a = draw.choice(numbers)
    other = _alike(a, numbers, draw)
    if other is not None:
        return f"{a.name} < {other.name}"
    return f"{a.name} > {a.name}.mean()" if a.kind == "array" else f"{a.name} > 0"


def _alike(a: Value, numbers: Sequence[Value], draw: random.Random) -> Value | None:
    """Another argument in the same unit and of a fitting length."""
    fit = [b for b in numbers if b.name != a.name and b.unit == a.unit and b.length in (a.length, None)]
    return draw.choice(fit) if fit else None


def _lines(code: str, function: str, word: str) -> list[str]:
    """Lines of simple statements in the interface's function that hold ``word``, as the code has them."""
    try:
        tree = parse(code if code.endswith("\n") else code + "\n")
    except Refused:
        return []
    main = [s for s in tree.body if isinstance(s, ast.FunctionDef) and s.name == function]
    kinds = (ast.Return, ast.Assign, ast.AugAssign, ast.AnnAssign)
    found = [s for f in main for s in ast.walk(f) if isinstance(s, kinds) and s.lineno == s.end_lineno]
    lines = code.split("\n")
    shown = (one_line(lines[s.lineno - 1], MAX_LINE) for s in sorted(found, key=lambda s: s.lineno))
    return [line for line in shown if re.search(rf"\b{re.escape(word)}\b", line) and "`" not in line]


def _free(name: str, code: str) -> str:
    """``name``, or with the first number that makes it new to the code."""
    names = set(re.findall(r"\w+", code))
    return next(n for n in (name, *(f"{name}_{i}" for i in range(2, 1_000))) if n not in names)
