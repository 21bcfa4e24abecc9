"""Reads the user's own instances: JSON Lines, one object a line with ``processing_times`` and ``due_dates`` (integers
in one unit) and optionally ``id``, ``optimum`` and ``class``.

Up to 100 jobs every instance is proved, and a claimed optimum must be the proved one. Beyond that a claim is kept as
"best known" unless a heuristic beats it or a bound refutes it, and an instance without one has no reference. The file
is hostile until read: sizes are bounded before anything is parsed.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from evaluators.smtt.constructive import good_sequence
from evaluators.smtt.exact import OutOfBudget
from evaluators.smtt.problem import MAX_JOBS, MAX_TOTAL, Ints, encode, limit, lower_bound, total_tardiness
from evaluators.smtt.proving import solve
from evaluators.task import Instance, InstanceSet, ReferenceKind, TaskError

MAX_LINE = 1_000_000
MAX_INSTANCES = 10_000
MAX_FILE = 64_000_000
MAX_ID = 200
PROVED_TO = 100
PROOF_STATES = 300_000
"""Memo entries that one proof may take while reading, some seconds of pure Python; far above what 100 jobs need."""

OTHER_PROBLEMS = ("release_dates", "weights", "setup_times")
EXPECTED = (
    'expected {"processing_times": [3, 5], "due_dates": [4, 9]}, optionally with "id", "optimum" and "class"'
)


class _Line:
    """Where an error is; every refusal goes through :meth:`refuse`."""

    def __init__(self, path: Path, number: int) -> None:
        self.path = path
        self.number = number

    def refuse(self, reason: str) -> NoReturn:
        raise TaskError(f"{self.path}, line {self.number}: {reason}")


def read(path: Path) -> InstanceSet:
    """The instances in file order. Raises TaskError with one sentence: the line, what is wrong, what was expected."""
    found: list[Instance] = []
    seen: dict[str, int] = {}
    for line, text in _lines(path):
        instance = _instance(line, text)
        if instance.id in seen:
            line.refuse(
                f"the id {instance.id!r} is used in line {seen[instance.id]} already; ids must differ"
            )
        if len(found) == MAX_INSTANCES:
            line.refuse(f"the file has more than {MAX_INSTANCES} instances; split it")
        seen[instance.id] = line.number
        found.append(instance)
    if not found:
        raise TaskError(f"{path} holds no instances; {EXPECTED} on each line")
    return InstanceSet(path.name, tuple(found))


def _lines(path: Path) -> Iterator[tuple[_Line, str]]:
    """The lines that are not blank, as text; never more than one bounded line in memory."""
    try:
        with path.open("rb") as file:
            number = size = 0
            while raw := file.readline(MAX_LINE + 1):
                number += 1
                size += len(raw)
                line = _Line(path, number)
                if len(raw) > MAX_LINE:
                    line.refuse(
                        f"the line is longer than {MAX_LINE} bytes; an instance has at most {MAX_JOBS} jobs"
                    )
                if size > MAX_FILE:
                    line.refuse(f"the file is larger than {MAX_FILE} bytes; split it")
                try:
                    text = raw.decode("utf-8-sig" if number == 1 else "utf-8").strip()
                except UnicodeDecodeError as error:
                    line.refuse(f"byte {error.start} is not UTF-8; save the file as UTF-8")
                if text:
                    yield line, text
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror or error}") from None


def _instance(line: _Line, text: str) -> Instance:
    entry = _object(line, text)
    processing_times = _times(line, entry, "processing_times", 1)
    due_dates = _times(line, entry, "due_dates", 0)
    n = len(processing_times)
    if n != len(due_dates):
        line.refuse(f"{n} processing_times but {len(due_dates)} due_dates; each job needs one of both")
    if n * (sum(processing_times) + max(due_dates)) >= MAX_TOTAL:
        line.refuse(
            "the times are too large for exact sums: n * (sum of p + largest d) must stay below 2**53; rescale"
        )
    p, d = np.array(processing_times, dtype=np.int64), np.array(due_dates, dtype=np.int64)
    reference, kind = _reference(line, p, d, _optimum(line, entry))
    return Instance(
        id=_word(line, entry, "id", f"line-{line.number}"),
        group=_word(line, entry, "class", "user"),
        size=n,
        payload=encode(p, d),
        answer_bytes=8 * n,
        limit=limit(n),
        reference=reference,
        reference_kind=kind,
    )


def _object(line: _Line, text: str) -> dict[str, Any]:
    def constant(name: str) -> NoReturn:
        line.refuse(f"{name} is not a time; expected integers")

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(items)) != len(items):
            line.refuse("a key occurs twice")
        return dict(items)

    try:
        entry = json.loads(text, parse_constant=constant, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        line.refuse(f"not JSON ({error.msg} at column {error.colno}); {EXPECTED}")
    except (ValueError, RecursionError):
        line.refuse(f"a number is too long or the line too deeply nested; {EXPECTED}")
    if not isinstance(entry, dict):
        line.refuse(f"the line holds {_shown(entry)}; {EXPECTED}")
    for name in OTHER_PROBLEMS:
        if name in entry:
            line.refuse(
                f"{name!r} belongs to another problem; jobs here have processing times and due dates only"
            )
    return entry


def _times(line: _Line, entry: dict[str, Any], name: str, least: int) -> list[int]:
    values = entry.get(name)
    if not isinstance(values, list):
        line.refuse(f"{name!r} is {'missing' if name not in entry else _shown(values)}; {EXPECTED}")
    if not 1 <= len(values) <= MAX_JOBS:
        line.refuse(f"{name!r} has {len(values)} entries; expected 1 to {MAX_JOBS}")
    found = []
    for at, value in enumerate(values):
        whole = _whole(value)
        if whole is None:
            line.refuse(
                f"{name}[{at}] is {_shown(value)}; expected an integer (rescale fractions to a finer unit)"
            )
        if whole < least:
            line.refuse(f"{name}[{at}] is {_shown(value)}; expected at least {least}" + _negative_hint(name))
        found.append(whole)
    return found


def _negative_hint(name: str) -> str:
    return (
        " (a job overdue at the start: write 0, its tardiness shrinks by a constant)"
        if name == "due_dates"
        else ""
    )


def _whole(value: object) -> int | None:
    """An integer, also when written as 5.0; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value.is_integer() else None
    return value


def _word(line: _Line, entry: dict[str, Any], name: str, default: str) -> str:
    value = entry.get(name)
    if value is None:
        return default
    word = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(word, str) or not 1 <= len(word) <= MAX_ID or not word.isprintable():
        line.refuse(f"{name!r} is {_shown(value)}; expected 1 to {MAX_ID} printable characters")
    return word


def _optimum(line: _Line, entry: dict[str, Any]) -> int | None:
    value = entry.get("optimum")
    if value is None:
        return None
    whole = _whole(value)
    if whole is None or whole < 0:
        line.refuse(f"'optimum' is {_shown(value)}; expected a total tardiness, an integer of at least 0")
    return whole


def _reference(line: _Line, p: Ints, d: Ints, claimed: int | None) -> tuple[float | None, ReferenceKind]:
    """The reference and its kind. Refuses a claim that a proof, a better sequence or a bound contradicts."""
    if len(p) <= PROVED_TO:
        try:
            proved = solve(p, d, states=PROOF_STATES).optimum
        except OutOfBudget:
            pass
        else:
            if claimed is not None and claimed != proved:
                line.refuse(
                    f"'optimum' is {claimed}, but the proved optimum is {proved}; correct it or leave it out"
                )
            return float(proved), "proved optimum"
    if claimed is None:
        return None, "baseline"
    bound, value = lower_bound(p, d), total_tardiness(p, d, good_sequence(p, d))
    if claimed < bound:
        line.refuse(f"'optimum' is {claimed}, but no sequence is below {bound}; correct it or leave it out")
    if claimed > value:
        line.refuse(f"'optimum' is {claimed}, but a sequence of {value} exists; correct it or leave it out")
    return float(claimed), "proved optimum" if bound == value else "best known"


def _shown(value: object) -> str:
    text = (
        json.dumps(value)
        if isinstance(value, int | float | str | bool) or value is None
        else type(value).__name__
    )
    return text if len(text) <= 60 else text[:57] + "…"
