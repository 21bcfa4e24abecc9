"""The user's own buffers: a CSV file with the columns ``id``, ``lower``, ``upper`` and ``size``. A file is hostile
until read."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from evaluators.lines import MAX_ID, Line, lines, shown
from evaluators.memory.buffers import MAX_BUFFERS, MAX_SIZE, MAX_TIME, Buffers
from evaluators.task import TaskError

LONGEST_LINE = 1000
COLUMNS = ("id", "lower", "upper", "size")
EXPECTED = "expected the header id,lower,upper,size and a buffer on each line"
RANGES = {"lower": (0, MAX_TIME), "upper": (0, MAX_TIME), "size": (1, MAX_SIZE)}


def read(path: Path) -> tuple[str, Buffers]:
    """The name of the file without its last ending, and its buffers in file order. The columns may stand in any
    order, with others beside them.

    Raises TaskError with the line and what is wrong."""
    found = lines(path, LONGEST_LINE, "a line is one buffer")
    places: dict[str, int] = {}
    width = 0
    seen: dict[str, int] = {}
    rows: list[tuple[int, int, int]] = []
    for line, text in found:
        cells = [cell.strip() for cell in text.split(",")]
        if not places:
            places, width = _header(line, cells), len(cells)
            continue
        if len(cells) != width:
            line.refuse(f"the line has {len(cells)} columns, the header {width}; {EXPECTED}")
        rows.append(_row(line, {name: cells[at] for name, at in places.items()}, seen))
        if len(rows) > MAX_BUFFERS:
            line.refuse(f"the file has more than {MAX_BUFFERS} buffers")
    if not rows:
        raise TaskError(f"{path} holds no buffers; {EXPECTED}")
    return path.stem, Buffers(*np.array(rows, np.int64).T)


def _header(line: Line, cells: list[str]) -> dict[str, int]:
    """Where the columns stand."""
    names = [cell.lower() for cell in cells]
    for name in COLUMNS:
        if names.count(name) != 1:
            many = "no column" if name not in names else "more than one column"
            line.refuse(f"the header has {many} {name!r}; {EXPECTED}")
    return {name: names.index(name) for name in COLUMNS}


def _row(line: Line, cells: dict[str, str], seen: dict[str, int]) -> tuple[int, int, int]:
    """Lower, upper and size of one buffer; its id goes into ``seen``."""
    id_ = cells.pop("id")
    if not 1 <= len(id_) <= MAX_ID or not id_.isprintable():
        line.refuse(f"the id {shown(id_)} is not 1 to {MAX_ID} printable characters")
    if id_ in seen:
        line.refuse(f"the id {shown(id_)} is used in line {seen[id_]} already; ids must differ")
    seen[id_] = line.number
    lower, upper, size = (_whole(line, name, cells[name]) for name in RANGES)
    if upper <= lower:
        line.refuse(f"the buffer {shown(id_)} ends at {upper}, not after its beginning at {lower}")
    return lower, upper, size


def _whole(line: Line, name: str, text: str) -> int:
    low, high = RANGES[name]
    digits = text.removeprefix("-")
    if not digits.isascii() or not digits.isdecimal() or len(text) > 30:
        line.refuse(f"{name} is {shown(text)}; expected a whole number")
    value = int(text)
    if not low <= value <= high:
        line.refuse(f"{name} is {value}; expected {low} to {high}")
    return value
