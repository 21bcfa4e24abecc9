"""Reads the user's own instances: JSON Lines, one object a line with ``processing_times`` and ``due_dates`` (integers
in one unit) and optionally ``id``, ``optimum`` and ``class``.

Up to 100 jobs every instance is proved, and a claimed optimum must be the proved one. Beyond that a claim is kept as
"best known" unless a heuristic beats it or a bound refutes it, and an instance without one has no reference. The file
is hostile until read: sizes are bounded before anything is parsed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from evaluators.lines import Line, collect, integer, lines, record, shown, word
from evaluators.smtt.constructive import good_sequence
from evaluators.smtt.exact import OutOfBudget
from evaluators.smtt.problem import MAX_JOBS, MAX_TOTAL, Ints, encode, limit, lower_bound, total_tardiness
from evaluators.smtt.proving import solve
from evaluators.task import Instance, InstanceSet, ReferenceKind

MAX_LINE = 1_000_000
MAX_INSTANCES = 10_000
PROVED_TO = 100
PROOF_STATES = 300_000
"""Memo entries that one proof may take while reading, some seconds of pure Python; far above what 100 jobs need."""

OTHER_PROBLEMS = ("release_dates", "weights", "setup_times")
EXPECTED = (
    'expected {"processing_times": [3, 5], "due_dates": [4, 9]}, optionally with "id", "optimum" and "class"'
)


def read(path: Path) -> InstanceSet:
    """The instances in file order. Raises TaskError with one sentence: the line, what is wrong, what was expected."""
    hint = f"an instance has at most {MAX_JOBS} jobs"
    made = ((line, _instance(line, text)) for line, text in lines(path, MAX_LINE, hint))
    return collect(path, made, MAX_INSTANCES, EXPECTED)


def _instance(line: Line, text: str) -> Instance:
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
        id=word(line, entry, "id", f"line-{line.number}"),
        group=word(line, entry, "class", "user"),
        size=n,
        payload=encode(p, d),
        answer_bytes=8 * n,
        limit=limit(n),
        reference=reference,
        reference_kind=kind,
    )


def _object(line: Line, text: str) -> dict[str, Any]:
    found = record(line, text, EXPECTED, "a time")
    for name in OTHER_PROBLEMS:
        if name in found:
            line.refuse(
                f"{name!r} belongs to another problem; jobs here have processing times and due dates only"
            )
    return found


def _times(line: Line, entry: dict[str, Any], name: str, least: int) -> list[int]:
    values = entry.get(name)
    if not isinstance(values, list):
        line.refuse(f"{name!r} is {'missing' if name not in entry else shown(values)}; {EXPECTED}")
    if not 1 <= len(values) <= MAX_JOBS:
        line.refuse(f"{name!r} has {len(values)} entries; expected 1 to {MAX_JOBS}")
    found = []
    for at, value in enumerate(values):
        whole = integer(value)
        if whole is None:
            line.refuse(
                f"{name}[{at}] is {shown(value)}; expected an integer (rescale fractions to a finer unit)"
            )
        if whole < least:
            line.refuse(f"{name}[{at}] is {shown(value)}; expected at least {least}" + _negative_hint(name))
        found.append(whole)
    return found


def _negative_hint(name: str) -> str:
    return (
        " (a job overdue at the start: write 0, its tardiness shrinks by a constant)"
        if name == "due_dates"
        else ""
    )


def _optimum(line: Line, entry: dict[str, Any]) -> int | None:
    value = entry.get("optimum")
    if value is None:
        return None
    whole = integer(value)
    if whole is None or whole < 0:
        line.refuse(f"'optimum' is {shown(value)}; expected a total tardiness, an integer of at least 0")
    return whole


def _reference(line: Line, p: Ints, d: Ints, claimed: int | None) -> tuple[float | None, ReferenceKind]:
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
