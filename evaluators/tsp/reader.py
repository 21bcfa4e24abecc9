"""Reads the user's own instances, in one of two formats that are told apart by the first character.

JSON Lines: one object a line with ``x`` and ``y`` (finite numbers, one of each a city), optionally ``id``, ``best``
(the length of the best tour known) and ``class``. TSPLIB: one instance with a NODE_COORD_SECTION whose
EDGE_WEIGHT_TYPE is EUC_2D or CEIL_2D; distances are not rounded here, so that lengths differ from those of papers by
some 0.1 %.

A claimed best is kept as "best known" unless a simple bound refutes it; without one there is no reference, and the
instance is measured against the best baseline.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from evaluators.lines import MAX_ID, Line, collect, lines, record, shown, word
from evaluators.task import Instance, InstanceSet, TaskError
from evaluators.tsp.problem import LEAST_CITIES, MAX_CITIES, encode, limit, lower_bound

MAX_LINE = 200_000
MAX_INSTANCES = 2_000
MAX_COORDINATE = 1e9
EXPECTED = 'expected {"x": [0, 3, 0], "y": [0, 0, 4]}, optionally with "id", "best" and "class"'
HINT = f"an instance has at most {MAX_CITIES} cities"
TSPLIB = "expected a TSPLIB file with a NODE_COORD_SECTION, or JSON Lines"
PLANE = ("EUC_2D", "CEIL_2D")

Lines = Iterator[tuple[Line, str]]


def read(path: Path) -> InstanceSet:
    """The instances in file order. Raises TaskError with one sentence: the line, what is wrong, what was expected."""
    found = lines(path, MAX_LINE, HINT)
    first = next(found, None)
    if first is None:
        raise TaskError(f"{path} holds no instances; {EXPECTED} on each line")
    made = _json(first, found) if first[1][0] in '{["' else _tsplib(first, found)
    return collect(path, made, MAX_INSTANCES, EXPECTED)


def _json(first: tuple[Line, str], rest: Lines) -> Iterator[tuple[Line, Instance]]:
    yield first[0], _instance(*first)
    for line, text in rest:
        yield line, _instance(line, text)


def _instance(line: Line, text: str) -> Instance:
    entry = record(line, text, EXPECTED, "a coordinate")
    x, y = _coordinates(line, entry, "x"), _coordinates(line, entry, "y")
    if len(x) != len(y):
        line.refuse(f"{len(x)} x but {len(y)} y; each city needs one of both")
    name, group = word(line, entry, "id", f"line-{line.number}"), word(line, entry, "class", "user")
    return _made(line, name, group, (x, y), entry.get("best"))


def _coordinates(line: Line, entry: dict[str, Any], name: str) -> list[float]:
    values = entry.get(name)
    if not isinstance(values, list):
        line.refuse(f"{name!r} is {'missing' if name not in entry else shown(values)}; {EXPECTED}")
    if not LEAST_CITIES <= len(values) <= MAX_CITIES:
        line.refuse(f"{name!r} has {len(values)} entries; expected {LEAST_CITIES} to {MAX_CITIES}")
    for at, value in enumerate(values):
        if isinstance(value, bool) or not isinstance(value, int | float) or not _fits(value):
            line.refuse(
                f"{name}[{at}] is {shown(value)}; expected a finite number, at most {MAX_COORDINATE:g} either way"
            )
    return [float(value) for value in values]


def _tsplib(first: tuple[Line, str], rest: Lines) -> Iterator[tuple[Line, Instance]]:
    """The one instance of a TSPLIB file."""
    line, text = first
    head: dict[str, str] = {}
    while text.partition(":")[0].strip() != "NODE_COORD_SECTION":
        key, colon, value = text.partition(":")
        if not colon:
            line.refuse(f"the line is {shown(text)}; {TSPLIB}")
        head[key.strip()] = value.strip()
        line, text = _next(line, rest, "NODE_COORD_SECTION")
    kind = head.get("EDGE_WEIGHT_TYPE", "missing")
    if kind not in PLANE:
        line.refuse(
            f"EDGE_WEIGHT_TYPE is {shown(kind)}; this task knows {' and '.join(PLANE)}, cities in the plane"
        )
    count = head.get("DIMENSION", "missing")
    if not count.isascii() or not count.isdigit() or not LEAST_CITIES <= int(count[:9]) <= MAX_CITIES:
        line.refuse(f"DIMENSION is {shown(count)}; expected {LEAST_CITIES} to {MAX_CITIES} cities")
    section, places = line, []
    for _ in range(int(count)):
        line, text = _next(line, rest, "a city")
        places.append(_place(line, text))
    end = next(rest, None)
    if end is not None and end[1] != "EOF":
        end[0].refuse(f"the line is {shown(end[1])}; expected EOF after {count} cities")
    name = head.get("NAME", "")
    if not 1 <= len(name) <= MAX_ID or not name.isprintable():
        name = section.path.stem
    x, y = map(list, zip(*places, strict=True))
    yield section, _made(section, name, "user", (x, y), None)


def _place(line: Line, text: str) -> tuple[float, float]:
    words = text.split()
    try:
        x, y = (float(w) for w in words[1:])
    except ValueError:
        line.refuse(f"the line is {shown(text)}; expected a number, an abscissa and an ordinate")
    if not _fits(x) or not _fits(y):
        line.refuse(f"the line is {shown(text)}; coordinates are at most {MAX_COORDINATE:g} either way")
    return x, y


def _next(line: Line, rest: Lines, what: str) -> tuple[Line, str]:
    found = next(rest, None)
    if found is None:
        line.refuse(f"the file ends where {what} should follow; {TSPLIB}")
    return found


def _fits(value: float) -> bool:
    return abs(value) <= MAX_COORDINATE and math.isfinite(value)


def _made(line: Line, name: str, group: str, places: tuple[list[float], list[float]], best: Any) -> Instance:
    x, y = (np.array(side, dtype=np.float64) for side in places)
    if x.min() == x.max() and y.min() == y.max():
        line.refuse("all cities are in one place; there is nothing to decide")
    if best is not None:
        if isinstance(best, bool) or not isinstance(best, int | float) or not 0 < best < math.inf:
            line.refuse(f"'best' is {shown(best)}; expected the length of a tour, a number above 0")
        least = lower_bound(x, y)
        if best < least * (1 - 1e-9):
            line.refuse(
                f"'best' is {shown(best)}, but no tour is below {least:.6g}; correct it or leave it out"
            )
    n = len(x)
    return Instance(
        id=name,
        group=group,
        size=n,
        payload=encode(x, y),
        answer_bytes=8 * n,
        limit=limit(n),
        reference=None if best is None else float(best),
        reference_kind="baseline" if best is None else "best known",
    )
