"""Reads the user's own instances, in one of two formats that are told apart by the first character.

JSON Lines: one object a line with ``capacity`` and ``items`` (integers in one unit, in the order of arrival),
optionally ``id``, ``best`` (bins of the best packing known) and ``class``. The OR-Library's format (binpack1 to
binpack8): the number of problems; then for each a line with its name, a line with capacity, number of items and best
known bins, and the sizes, one a line; sizes with decimals are multiplied by the power of ten that makes all whole.

Best fit decreasing packs every instance while it is read. Where that meets the lower bound the reference is the proved
optimum; else a claimed best is kept as "best known" unless the bound or that packing refutes it; else the reference is
the bound.
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import numpy as np

from evaluators.binpacking.offline import best_fit_decreasing
from evaluators.binpacking.problem import MAX_CAPACITY, MAX_ITEMS, Ints, encode, limit, lower_bound
from evaluators.lines import Line, collect, integer, lines, record, shown, word
from evaluators.task import Instance, InstanceSet, ReferenceKind, TaskError

MAX_LINE = 400_000
MAX_INSTANCES = 2_000
MAX_DECIMALS = 6
EXPECTED = 'expected {"capacity": 100, "items": [30, 45]}, optionally with "id", "best" and "class"'
HINT = f"an instance has at most {MAX_ITEMS} items"
LIBRARY = (
    "expected the OR-Library's format (number of problems; name; capacity, items, best; sizes) or JSON Lines"
)

Lines = Iterator[tuple[Line, str]]


def read(path: Path) -> InstanceSet:
    """The instances in file order. Raises TaskError with one sentence: the line, what is wrong, what was expected."""
    found = lines(path, MAX_LINE, HINT)
    first = next(found, None)
    if first is None:
        raise TaskError(f"{path} holds no instances; {EXPECTED} on each line")
    if first[1][0] in '{["':
        made: Iterator[tuple[Line, Instance]] = (
            (line, _instance(line, text)) for line, text in _from(first, found)
        )
    else:
        made = _library(*first, found)
    return collect(path, made, MAX_INSTANCES, EXPECTED)


def _from(first: tuple[Line, str], rest: Lines) -> Lines:
    yield first
    yield from rest


def _instance(line: Line, text: str) -> Instance:
    entry = record(line, text, EXPECTED, "a size")
    capacity = integer(entry.get("capacity"))
    if capacity is None or not 1 <= capacity <= MAX_CAPACITY:
        line.refuse(
            f"'capacity' is {shown(entry.get('capacity'))}; expected an integer from 1 to {MAX_CAPACITY}"
        )
    values = entry.get("items")
    if not isinstance(values, list):
        line.refuse(f"'items' is {'missing' if 'items' not in entry else shown(values)}; {EXPECTED}")
    if not 1 <= len(values) <= MAX_ITEMS:
        line.refuse(f"'items' has {len(values)} entries; expected 1 to {MAX_ITEMS}")
    sizes = np.array([_size(line, at, value, capacity) for at, value in enumerate(values)], dtype=np.int64)
    best = entry.get("best")
    claimed = integer(best)
    if best is not None and (claimed is None or claimed < 1):
        line.refuse(f"'best' is {shown(best)}; expected a number of bins, an integer of at least 1")
    name = word(line, entry, "id", f"line-{line.number}")
    return _made(line, name, word(line, entry, "class", "user"), capacity, sizes, claimed)


def _size(line: Line, at: int, value: Any, capacity: int) -> int:
    size = integer(value)
    if size is None:
        line.refuse(f"items[{at}] is {shown(value)}; expected an integer (rescale fractions to a finer unit)")
    if not 1 <= size <= capacity:
        line.refuse(f"items[{at}] is {shown(value)}; expected 1 to the capacity, {capacity}")
    return size


def _library(line: Line, text: str, rest: Lines) -> Iterator[tuple[Line, Instance]]:
    """The problems of a file of the OR-Library."""
    count = _number(line, text, "the number of problems") if len(text.split()) == 1 else None
    if count is None or count != int(count) or not 1 <= count <= MAX_INSTANCES:
        line.refuse(f"the line is {shown(text)}; {LIBRARY}")
    for _ in range(int(count)):
        line, name = _next(line, rest, "a problem's name")
        if len(name) > 200 or not name.isprintable():
            line.refuse("the problem's name is not printable or longer than 200 characters")
        line, head = _next(line, rest, "capacity, number of items and best known bins")
        words = head.split()
        if len(words) != 3:
            line.refuse(
                f"the line is {shown(head)}; expected capacity, number of items and best known bins of {name}"
            )
        capacity, items, best = (
            _number(line, w, what)
            for w, what in zip(words, ("capacity", "number of items", "best"), strict=True)
        )
        if items != int(items) or not 1 <= items <= MAX_ITEMS or best != int(best) or best < 1:
            line.refuse(
                f"the line is {shown(head)}; expected 1 to {MAX_ITEMS} items and whole numbers of items and bins"
            )
        head_line, sizes = line, []
        for _ in range(int(items)):
            line, size = _next(line, rest, f"a size of {name}")
            sizes.append(_number(line, size, "a size"))
            if not 0 < sizes[-1] <= capacity:
                line.refuse(
                    f"the size is {shown(size)}; expected more than 0, at most the capacity, {capacity}"
                )
        whole = _whole(head_line, [capacity, *sizes])
        array = np.array(whole[1:], dtype=np.int64)
        yield head_line, _made(head_line, name, "user", whole[0], array, int(best))
    extra = next(rest, None)
    if extra is not None:
        extra[0].refuse(f"there is more in the file than its {int(count)} problems")


def _next(line: Line, rest: Lines, what: str) -> tuple[Line, str]:
    found = next(rest, None)
    if found is None:
        line.refuse(f"the file ends where {what} should follow")
    return found


def _number(line: Line, text: str, what: str) -> Decimal:
    try:
        value = Decimal(text) if len(text) <= 30 else Decimal("NaN")
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 <= value <= MAX_CAPACITY:
        line.refuse(f"{what} is {shown(text)}; expected a number from 0 to {MAX_CAPACITY}; {LIBRARY}")
    return value


def _whole(line: Line, numbers: list[Decimal]) -> list[int]:
    """All numbers times the least power of ten that makes them integers."""
    digits = max(max(0, -int(value.normalize().as_tuple().exponent)) for value in numbers)
    if digits > MAX_DECIMALS or numbers[0] * 10**digits > MAX_CAPACITY:
        line.refuse(f"sizes or capacity have {digits} decimals, too many; round them or rescale")
    return [int(value * 10**digits) for value in numbers]


def _made(line: Line, name: str, group: str, capacity: int, sizes: Ints, claimed: int | None) -> Instance:
    reference, kind = _reference(line, name, capacity, sizes, claimed)
    n = len(sizes)
    return Instance(
        id=name,
        group=group,
        size=n,
        payload=encode(capacity, sizes),
        answer_bytes=8 * n,
        limit=limit(n),
        reference=float(reference),
        reference_kind=kind,
    )


def _reference(
    line: Line, name: str, capacity: int, sizes: Ints, claimed: int | None
) -> tuple[int, ReferenceKind]:
    """The reference and its kind. Refuses a claim that the bound or a packing contradicts."""
    bound, packed = lower_bound(capacity, sizes), 1 + max(best_fit_decreasing(capacity, sizes))
    if claimed is not None and claimed < bound:
        line.refuse(
            f"the best known of {name!r} is {claimed}, but {bound} bins are needed; correct it or leave it out"
        )
    if claimed is not None and claimed > packed:
        line.refuse(
            f"the best known of {name!r} is {claimed}, but a packing of {packed} exists; correct it or leave it out"
        )
    if packed == bound:
        return packed, "proved optimum"
    return (bound, "bound") if claimed is None else (claimed, "best known")
