"""The interface and what is known of the parents, in words."""

from __future__ import annotations

from collections.abc import Sequence

from discovery.prompts.quoting import one_line
from discovery.proposers.base import Parent, Rival
from evaluators.task import Direction, Interface, Value

MAX_GROUPS, MAX_WINS = 5, 3
OBJECT = 2000
"""Characters of the description of an object, which is all that tells its parts."""


def signature(interface: Interface) -> str:
    """``def schedule(processing_times, due_dates, *, …):``"""
    return f"def {interface.function}({', '.join(a.name for a in interface.arguments)}, *, …):"


def skeleton(interface: Interface) -> str:
    """The module a reply fills in, with the exact signature."""
    arguments = ", ".join(a.name for a in interface.arguments)
    return (
        "import numpy as np\n\n"
        'SEARCH_SPACE = {"weight": {"low": 0.0, "high": 4.0}}\n\n\n'
        f"def {interface.function}({arguments}, *, weight=1.0):\n"
        f"    ...\n    return {interface.returns.name}"
    )


def hook(interface: Interface) -> dict[str, object]:
    """An optional function: its signature, what it is for, its values, and what happens without it."""
    return {
        "signature": signature(interface),
        "summary": one_line(interface.summary, 600),
        "arguments": [described(v) for v in interface.arguments],
        "returns": described(interface.returns),
        "facts": [one_line(f, 600) for f in interface.facts],
        "absent": one_line(interface.absent, 400),
    }


def described(value: Value) -> str:
    """One line: name, type, length, range, unit, meaning."""
    kind = {"scalar": f"{value.dtype} number", "array": f"numpy array of {value.dtype}"}.get(value.kind, "")
    if value.kind == "object":
        return f"{value.name}: object. {one_line(value.description, OBJECT)}"
    if value.kind == "mask":
        kind = "numpy array of bool"
    elif value.kind == "permutation":
        kind = f"{value.dtype} array, a permutation of 0 … {value.length or 'n'} - 1"
    length = f", length {value.length}" if value.length and value.kind != "permutation" else ""
    ends = ""
    if value.low is not None and value.high is not None:
        ends = f", {value.low:g} to {value.high:g}"
    elif value.low is not None:
        ends = f", at least {value.low:g}"
    elif value.high is not None:
        ends = f", at most {value.high:g}"
    unit = f", unit: {one_line(value.unit, 60)}" if value.unit else ""
    return f"{value.name}: {kind}{length}{ends}{unit}. {one_line(value.description, 400)}"


def groups(parent: Parent, rival: Rival | None, direction: Direction) -> str:
    """The classes where a parent loses most against the rival, then those where it is worst, with both scores."""
    sign = 1 if direction == "minimize" else -1
    other = rival.by_group if rival is not None and rival.by_group != parent.by_group else {}
    loss = {name: sign * (score - other.get(name, score)) for name, score in parent.by_group.items()}
    ranked = sorted(parent.by_group.items(), key=lambda g: (-loss[g[0]], -sign * g[1], g[0]))
    said = []
    for name, score in ranked[:MAX_GROUPS]:
        against = f"; {one_line(rival.name, 40)} {number(other[name])}" if rival and name in other else ""
        said.append(f"{one_line(name, 60)} ({number(score)}{against})")
    return ", ".join(said)


def cases(parent: Parent) -> str:
    """The instances where a parent loses most."""
    said = []
    for case in parent.worst:
        best = "" if case.best is None else f", where {number(case.best)} was reached"
        said.append(
            f"{one_line(case.id, 60)} ({one_line(case.group, 60)}; size {case.size}): {number(case.score)}{best}"
        )
    return "; ".join(said)


def wins(parent: Parent, others: Sequence[Parent], direction: Direction) -> str:
    """The classes where a parent is better than every other one, the widest margin first."""
    sign = 1 if direction == "minimize" else -1
    margins = []
    for name, score in parent.by_group.items():
        rest = [sign * o.by_group[name] for o in others if name in o.by_group]
        if rest and sign * score < min(rest):
            margins.append((sign * score - min(rest), name, sign * min(rest)))
    return ", ".join(
        f"{one_line(name, 60)} ({number(parent.by_group[name])} against {number(best)})"
        for _, name, best in sorted(margins)[:MAX_WINS]
    )


def number(value: float) -> str:
    """Five digits are enough to compare."""
    return f"{value:.5g}"
