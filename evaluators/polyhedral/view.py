"""What a candidate gets to know of a program: plain numbers and names, no docstring, no program's name, no isl."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from evaluators.polyhedral.dependences import Analysis
from evaluators.polyhedral.program import Access, Affine, Loop, Program, Statement
from evaluators.polyhedral.tree import Leaf, Node, Schedule, original

DOUBLE = 8
TYPICAL = {"l1": 32 * 2**10, "l2": 2**20, "l3": 32 * 2**20}
"""Bytes of the caches where the system does not tell."""
_Terms = tuple[str, tuple[tuple[tuple[str, int], ...], ...]]
"""An array, and the coefficients of an access to it."""


def described(analysis: Analysis, sizes: Mapping[str, int]) -> dict[str, Any]:
    """The program at these sizes, as JSON takes it; the adapter makes objects of it (docs/tasks/polyhedral.md)."""
    program = analysis.program
    middle = _middles(program, sizes)
    trips = {name: trip for name, (_, trip) in middle.items()}
    return {
        "sizes": dict(sizes),
        "loops": [
            {"name": n.name, "parent": parent, "trip": trips[n.name], "statements": list(inside)}
            for n, parent, inside in _loops(program)
        ],
        "statements": [_statement(program, s, sizes, trips) for s in program.statements],
        "arrays": [
            {"name": a.name, "shape": (shape := list(program.shape(a.name, sizes))), "bytes": DOUBLE * math.prod(shape)}
            for a in program.arrays
        ],
        "dependences": _dependences(analysis),
        "tree": tree(original(program)),
        "machine": machine(),
    }  # fmt: skip


def tree(schedule: Schedule) -> list[Any]:
    """A schedule's loops and statements in order: ``[name, [what it holds, …]]`` for a loop, a name for a statement."""

    def visit(nodes: tuple[Node, ...]) -> list[Any]:
        return [n.statement if isinstance(n, Leaf) else [n.name, visit(n.body)] for n in nodes]

    return visit(schedule.body)


def footprint(program: Program, sizes: Mapping[str, int], extents: Mapping[str, int]) -> int:
    """Bytes of the elements that the statements touch, at most, while each loop of the text runs ``extents`` of its
    iterations (all where it is not named). Loops with the same iterator are taken to run the same ones: accesses that
    differ by constants alone count once, with the frame that their shifts make."""
    trips = {name: trip for name, (_, trip) in _middles(program, sizes).items()}
    spans: dict[_Terms, list[int]] = {}
    shifts: dict[_Terms, list[tuple[int, ...]]] = {}
    for statement in program.statements:
        loops = dict(zip(statement.iterators, statement.loops, strict=True))
        steps = {
            iterator: max(1, round(min(extents.get(name, trips[name]), trips[name]))) - 1
            for iterator, name in loops.items()
        }
        for access in (statement.write, *statement.reads):
            key = access.array, tuple(s.terms for s in access.subscripts)
            own = [sum(abs(c) * steps.get(n, 0) for n, c in s.terms) for s in access.subscripts]
            spans[key] = [max(pair) for pair in zip(own, spans.get(key, own), strict=True)]
            shifts.setdefault(key, []).append(tuple(s.constant for s in access.subscripts))
    elements: dict[str, int] = {}
    for key, span in spans.items():
        frame = [max(c) - min(c) for c in zip(*shifts[key], strict=True)]
        shape = program.shape(key[0], sizes)
        box = math.prod(min(1 + s + f, n) for s, f, n in zip(span, frame, shape, strict=True))
        elements[key[0]] = min(elements.get(key[0], 0) + box, math.prod(shape))
    return DOUBLE * sum(elements.values())


@cache
def machine() -> dict[str, int]:
    """Bytes of the caches of one core (``l3``: of the package), doubles in a vector, vector registers."""
    found = dict(TYPICAL)
    for index in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        with suppress(OSError, ValueError):
            level, kind = ((index / n).read_text(encoding="ascii").strip() for n in ("level", "type"))
            if kind in ("Data", "Unified") and f"l{level}" in found:
                text = (index / "size").read_text(encoding="ascii").strip()
                found[f"l{level}"] = int(text.rstrip("KM")) * {"K": 2**10, "M": 2**20}.get(text[-1], 1)
    flags = ""
    with suppress(OSError):
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
    wide, avx = " avx512f" in flags, " avx" in flags
    arm = os.uname().machine == "aarch64"
    return {**found, "vector": 8 if wide else 4 if avx else 2, "registers": 32 if wide or arm else 16}


def _loops(program: Program) -> list[tuple[Loop, str, tuple[str, ...]]]:
    found: list[tuple[Loop, str, tuple[str, ...]]] = []

    def visit(nodes: tuple[Loop | Statement, ...], parent: str) -> None:
        for node in nodes:
            if isinstance(node, Loop):
                inside = tuple(s.name for s in program.statements if node.name in s.loops)
                found.append((node, parent, inside))
                visit(node.body, node.name)

    visit(program.body, "")
    return found


def _middles(program: Program, sizes: Mapping[str, int]) -> dict[str, tuple[float, float]]:
    """For each loop the middle of its range and its number of iterations, those around it being at their middles."""
    found: dict[str, tuple[float, float]] = {}

    def visit(nodes: tuple[Loop | Statement, ...], values: dict[str, float]) -> None:
        for node in nodes:
            if isinstance(node, Loop):
                low = max(_at(b, values) for b in node.lower)
                high = min(_at(b, values) for b in node.upper)
                found[node.name] = ((low + high) / 2, max(0.0, high - low))
                visit(node.body, {**values, node.iterator: (low + high) / 2})

    visit(program.body, {n: float(v) for n, v in sizes.items()})
    return found


def _at(form: Affine, values: Mapping[str, float]) -> float:
    return form.constant + sum(c * values[n] for n, c in form.terms)


def _statement(
    program: Program, statement: Statement, sizes: Mapping[str, int], trips: Mapping[str, float]
) -> dict[str, Any]:
    accesses = [(statement.write, True), *((a, False) for a in statement.reads)]
    return {
        "name": statement.name,
        "loops": list(statement.loops),
        "instances": math.prod(trips[n] for n in statement.loops),
        "operations": statement.operations,
        "accesses": [_access(program, statement, a, written, sizes) for a, written in accesses],
    }


def _access(
    program: Program, statement: Statement, access: Access, written: bool, sizes: Mapping[str, int]
) -> dict[str, Any]:
    """For each dimension of the array a coefficient for each loop (``matrix``) and what is left at these sizes
    (``offsets``); ``strides``: elements per iteration of each loop."""
    rest = dict.fromkeys(statement.iterators, 0) | dict(sizes)
    matrix = [[dict(s.terms).get(i, 0) for i in statement.iterators] for s in access.subscripts]
    shape = program.shape(access.array, sizes)
    steps = [math.prod(shape[k + 1 :]) for k in range(len(shape))]
    strides = [
        sum(row[k] * step for row, step in zip(matrix, steps, strict=True))
        for k in range(len(statement.loops))
    ]
    return {
        "array": access.array, "write": written, "matrix": matrix, "offsets": [s.at(rest) for s in access.subscripts],
        "strides": strides,
    }  # fmt: skip


def _dependences(analysis: Analysis) -> list[dict[str, Any]]:
    """With the least and greatest distance along each loop that both have (None: it grows with the sizes)."""
    by_name = {s.name: s for s in analysis.program.statements}
    found = []
    for dependence in analysis.dependences:
        source, target = by_name[dependence.source], by_name[dependence.target]
        common = [a for a, b in zip(source.loops, target.loops, strict=False) if a == b]
        found.append(
            {
                "source": source.name, "target": target.name, "array": dependence.array, "kind": dependence.kind,
                "loops": common, "distances": [list(d) for d in analysis.distances(dependence, len(common))],
            }
        )  # fmt: skip
    return [d for k, d in enumerate(found) if d not in found[:k]]
