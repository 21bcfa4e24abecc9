"""The user's own training problems: JSON Lines, each with ``features`` (a list of numbers an example) and ``labels``.

``loss`` is ``logistic`` (labels are words or whole numbers), ``hinge`` (two different ones) or ``absolute`` (numbers);
``steps``, ``batch``, ``l2`` (of logistic regression), ``id`` and ``class`` may be told. Features are standardised and a
constant one is added. Optimum, base rate, pilot run and the gap of linear decay are worked out as they are read. A
file is hostile until read.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import numpy as np

from evaluators.lines import Line, collect, integer, lines, record, shown, word
from evaluators.schedules import optimum, referee, splits
from evaluators.schedules.instances import PENALTY, with_constant
from evaluators.schedules.portable import Floats
from evaluators.schedules.problem import MAX_STEPS, Loss, Problem, single
from evaluators.schedules.public import standardised
from evaluators.task import Instance, InstanceSet, TaskError

LONGEST_LINE = 16_000_000
MAX_INSTANCES = 100
MAX_EXAMPLES = 5_000
MAX_FEATURES = 200
MAX_CLASSES = 20
MAX_BATCH = 256
MAX_NUMBER = 1e9
MAX_STEP = 200_000
"""Products of a step in one of the referee's 120 replicas: 200 MB."""
MAX_WORK = 100_000_000
EXPECTED = (
    'expected {"features": [[0.5, 1], [2, 0]], "labels": ["a", "b"]}, optionally with "loss", "steps", "batch", "l2", '
    '"id" and "class"'
)
KEYS = frozenset(["features", "labels", "loss", "steps", "batch", "l2", "id", "class"])


def read(path: Path) -> InstanceSet:
    """The problems in file order. Raises TaskError with the line and what is wrong."""
    return collect(path, _read(path), MAX_INSTANCES, EXPECTED)


def _read(path: Path) -> Iterator[tuple[Line, Instance]]:
    hint = f"a problem has at most {MAX_EXAMPLES} examples"
    for line, text in lines(path, LONGEST_LINE, hint):
        entry = record(line, text, EXPECTED, "a feature")
        unknown = next((key for key in entry if key not in KEYS), None)
        if unknown is not None:
            line.refuse(f"there is no {shown(unknown)}; {EXPECTED}")
        name, group = word(line, entry, "id", f"line-{line.number}"), word(line, entry, "class", "mine")
        problem = _problem(line, entry)
        try:
            posed, gap = referee.posed(problem, optimum.least(problem))
        except TaskError as error:
            line.refuse(str(error))
        yield line, splits.instance(name, group, posed, gap)


def _problem(line: Line, entry: dict[str, Any]) -> Problem:
    loss = entry.get("loss", "logistic")
    if loss not in get_args(Loss):
        line.refuse(f"'loss' is {shown(loss)}; expected {', '.join(get_args(Loss))}")
    features = _features(line, entry.get("features"))
    targets, classes = _targets(line, loss, entry.get("labels"), features.shape[1])
    l2 = entry.get("l2", PENALTY if loss == "logistic" else 0.0)
    if not _number(l2) or not (1e-6 <= l2 <= 1e3 if loss == "logistic" else l2 == 0):
        wanted = "a number from 1e-06 to 1000" if loss == "logistic" else f"0, as {loss} has no penalty here"
        line.refuse(f"'l2' is {shown(l2)}; expected {wanted}")
    found = Problem(
        loss,
        single(with_constant(standardised(features))),
        single(targets),
        classes,
        float(l2),
        batch=_whole(line, entry, "batch", 8, MAX_BATCH),
        steps=_whole(line, entry, "steps", 500, MAX_STEPS),
    )
    step = found.batch * len(found.features) * classes
    if step > MAX_STEP or step * found.steps > MAX_WORK:
        line.refuse(
            f"a step takes batch × features × classes = {step:,} products, and there are {found.steps:,} steps; at "
            f"most {MAX_STEP:,} a step and {MAX_WORK:,} in all are trained, some two minutes a candidate"
        )
    return found


def _features(line: Line, rows: object) -> Floats:
    """Float64[d, n]."""
    if not isinstance(rows, list) or not 2 <= len(rows) <= MAX_EXAMPLES:
        many = f"{len(rows)} examples" if isinstance(rows, list) else shown(rows)
        line.refuse(f"'features' is {many}; expected 2 to {MAX_EXAMPLES} lists of numbers")
    width = len(rows[0]) if isinstance(rows[0], list) else 0
    for at, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != width or not 1 <= width <= MAX_FEATURES:
            line.refuse(
                f"features[{at}] is no list of 1 to {MAX_FEATURES} numbers, as many as in the first one"
            )
        wrong = next((value for value in row if not _number(value)), None)
        if wrong is not None or None in row:
            line.refuse(
                f"features[{at}] holds {shown(wrong)}; expected finite numbers up to {MAX_NUMBER:g} either way"
            )
    return np.array(rows, np.float64).T


def _targets(line: Line, loss: Loss, labels: object, count: int) -> tuple[Floats, int]:
    """Float64[n] as the loss wants them, and the number of scores of an example."""
    if not isinstance(labels, list) or len(labels) != count:
        many = f"{len(labels)} of them" if isinstance(labels, list) else shown(labels)
        line.refuse(f"'labels' is {many}; expected one for each of the {count} examples")
    if loss == "absolute":
        wrong = next((at for at, value in enumerate(labels) if not _number(value)), None)
        if wrong is not None:
            line.refuse(f"labels[{wrong}] is {shown(labels[wrong])}; expected a finite number")
        found = np.array(labels, np.float64)
        if found.min() == found.max():
            line.refuse("all labels are equal; there is nothing to learn")
        return standardised(found[None])[0], 1
    for at, value in enumerate(labels):
        if not isinstance(value, str) and integer(value) is None:
            line.refuse(f"labels[{at}] is {shown(value)}; expected a word or a whole number")
    names = [value if isinstance(value, str) else str(integer(value)) for value in labels]
    kinds = sorted(set(names))
    most = 2 if loss == "hinge" else MAX_CLASSES
    if not 2 <= len(kinds) <= most:
        wanted = "2" if most == 2 else f"2 to {most}"
        line.refuse(f"the labels are of {len(kinds)} kinds; expected {wanted}")
    place = {kind: number for number, kind in enumerate(kinds)}
    numbers = np.array([place[name] for name in names], np.float64)
    return (2.0 * numbers - 1.0, 1) if loss == "hinge" else (numbers, len(kinds))


def _number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) <= MAX_NUMBER and math.isfinite(value)


def _whole(line: Line, entry: dict[str, Any], name: str, default: int, most: int) -> int:
    value = integer(entry.get(name, default))
    if value is None or not 1 <= value <= most:
        line.refuse(f"{name!r} is {shown(entry.get(name))}; expected a whole number from 1 to {most}")
    return value
