"""The user's own traces: a page a line, or CSV with ``id,time,page``. A file is hostile until read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import numpy as np

from evaluators import lines
from evaluators.caching.problem import MAX_PAGES, MAX_REQUESTS
from evaluators.caching.splits import instance
from evaluators.task import Instance, InstanceSet

LONGEST_LINE, MOST_TRACES = 1000, 10_000
WORD = re.compile(r"[\w.:/+@#-]+\Z")
"""What a page or the id of a trace may look like."""
EXPECTED = "expected one page, or id,time,page"
HEADER = ("id", "time", "page")


class _Trace:
    """The requests of one trace as they are read; ``line`` is that of its first."""

    def __init__(self, line: lines.Line) -> None:
        self.line = line
        self.pages: list[int] = []
        self._numbers: dict[str, int] = {}
        self._time = float("-inf")

    def request(self, line: lines.Line, page: str, time: str | None) -> None:
        if time is not None:
            now = _time(line, time)
            if now < self._time:
                line.refuse(
                    f"the time {lines.shown(time)} lies before that of the request above; sort the trace by time"
                )
            self._time = now
        self.pages.append(self._numbers.setdefault(page, len(self._numbers) + 1))
        if len(self.pages) > MAX_REQUESTS:
            line.refuse(f"the trace has more than {MAX_REQUESTS} requests; split it")
        if len(self._numbers) > MAX_PAGES:
            line.refuse(f"the trace has more than {MAX_PAGES} different pages; split it")


def read(path: Path, capacity: int) -> InstanceSet:
    """Every trace of the file, in the order of their first requests; ids are kept, a file of pages alone is one trace
    named like the file. Raises TaskError with the line and what is wrong."""
    traces: dict[str, _Trace] = {}
    columns = 0
    for line, text in lines.lines(path, LONGEST_LINE, "a line is one request"):
        cells = [cell.strip() for cell in text.split(",")]
        if columns == 0 and tuple(cell.lower() for cell in cells) == HEADER:
            columns = len(HEADER)
            continue
        columns = columns or len(cells)
        if len(cells) != columns or columns not in (1, len(HEADER)):
            _refuse(line, f"the line has {len(cells)} columns")
        for cell in (cells[0], cells[-1]):
            if not WORD.match(cell):
                _refuse(line, f"{lines.shown(cell)} is neither a page nor an id")
        id_ = cells[0] if columns > 1 else path.stem
        trace = traces.setdefault(id_, _Trace(line))
        trace.request(line, cells[-1], cells[1] if columns > 1 else None)
    return lines.collect(path, _instances(traces, capacity), MOST_TRACES, EXPECTED)


def _instances(traces: dict[str, _Trace], capacity: int) -> Iterator[tuple[lines.Line, Instance]]:
    for id_, trace in traces.items():
        yield trace.line, instance(id_, "mine", capacity, np.array(trace.pages, np.int64))


def _time(line: lines.Line, text: str) -> float:
    try:
        time = float(text)
    except ValueError:
        time = float("nan")
    if time - time != 0:
        line.refuse(f"the time {lines.shown(text)} is not a number; {EXPECTED}")
    return time


def _refuse(line: lines.Line, reason: str) -> NoReturn:
    line.refuse(f"{reason}; {EXPECTED}")
