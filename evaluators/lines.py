"""The user's files, line by line: bounded before anything is parsed, and every refusal names the file and the line.

Shared by the readers of the tasks. A file is hostile until read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from evaluators.task import Instance, InstanceSet, TaskError

MAX_FILE = 64_000_000
MAX_ID = 200
MAX_SHOWN = 60


class Line:
    """Where an error is; every refusal goes through :meth:`refuse`."""

    def __init__(self, path: Path, number: int) -> None:
        self.path = path
        self.number = number

    def refuse(self, reason: str) -> NoReturn:
        raise TaskError(f"{self.path}, line {self.number}: {reason}")


def lines(path: Path, longest: int, hint: str) -> Iterator[tuple[Line, str]]:
    """The lines that are not blank, as text; never more than one of at most ``longest`` bytes in memory. ``hint``
    says why a line of the format is never longer."""
    try:
        with path.open("rb") as file:
            number = size = 0
            while raw := file.readline(longest + 1):
                number += 1
                size += len(raw)
                line = Line(path, number)
                if len(raw) > longest:
                    line.refuse(f"the line is longer than {longest} bytes; {hint}")
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


def collect(path: Path, made: Iterable[tuple[Line, Instance]], most: int, expected: str) -> InstanceSet:
    """At most ``most`` instances whose ids differ, in file order, under the file's name."""
    found: list[Instance] = []
    seen: dict[str, int] = {}
    for line, instance in made:
        if instance.id in seen:
            line.refuse(
                f"the id {instance.id!r} is used in line {seen[instance.id]} already; ids must differ"
            )
        if len(found) == most:
            line.refuse(f"the file has more than {most} instances; split it")
        seen[instance.id] = line.number
        found.append(instance)
    if not found:
        raise TaskError(f"{path} holds no instances; {expected} on each line")
    return InstanceSet(path.name, tuple(found))


def record(line: Line, text: str, expected: str, what: str) -> dict[str, Any]:
    """The line's JSON object. ``expected`` shows a right one, ``what`` names its numbers ("a time")."""

    def constant(name: str) -> NoReturn:
        line.refuse(f"{name} is not {what}; expected {expected_numbers(what)}")

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(dict(items)) != len(items):
            line.refuse("a key occurs twice")
        return dict(items)

    try:
        found = json.loads(text, parse_constant=constant, object_pairs_hook=pairs)
    except json.JSONDecodeError as error:
        line.refuse(f"not JSON ({error.msg} at column {error.colno}); {expected}")
    except (ValueError, RecursionError):
        line.refuse(f"a number is too long or the line too deeply nested; {expected}")
    if not isinstance(found, dict):
        line.refuse(f"the line holds {shown(found)}; {expected}")
    return found


def expected_numbers(what: str) -> str:
    """What a line's numbers must be."""
    return "finite numbers" if what in ("a coordinate", "a feature") else "integers"


def word(line: Line, values: dict[str, Any], name: str, default: str) -> str:
    """A short printable text under ``name``; an integer counts as its digits."""
    value = values.get(name)
    if value is None:
        return default
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str) or not 1 <= len(text) <= MAX_ID or not text.isprintable():
        line.refuse(f"{name!r} is {shown(value)}; expected 1 to {MAX_ID} printable characters")
    return text


def integer(value: object) -> int | None:
    """An integer, also when written as 5.0; None for everything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if isinstance(value, float):
        return int(value) if math.isfinite(value) and value.is_integer() else None
    return value


def shown(value: object) -> str:
    """A value of the file, short enough for a message."""
    text = (
        json.dumps(value)
        if isinstance(value, int | float | str | bool) or value is None
        else type(value).__name__
    )
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "…"
