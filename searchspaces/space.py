"""Declared parameters: a literal ``SEARCH_SPACE`` read without running anything.

``{"k": {"low": 0.25, "high": 8.0, "log": True}, "passes": {"low": 1, "high": 5}, "rule": ["a", "b"]}``: two floats
make a float range, two ints an integer range, a list a choice. Every name is a keyword-only argument of the
candidate's function whose default lies in its range.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping
from dataclasses import dataclass

ParameterValue = float | int | str
MAX_PARAMETERS = 32
MAX_CHOICES = 64
MAX_SIZE = 1e100
"""Largest bound of a float range: the sampler squares and subtracts bounds, and that must not overflow."""
MIN_WIDTH = 1e-9
"""Narrowest range of more than one value, relative to its bounds (for a log range: of the logarithms): the sampler
divides by widths, which rounding would make zero."""


class SpaceError(Exception):
    """SEARCH_SPACE is not what it must be; the text says what and what was expected."""


@dataclass(frozen=True)
class FloatRange:
    low: float
    high: float
    log: bool = False

    def holds(self, value: object) -> bool:
        return (
            isinstance(value, float | int) and not isinstance(value, bool) and self.low <= value <= self.high
        )


@dataclass(frozen=True)
class IntRange:
    low: int
    high: int
    log: bool = False

    def holds(self, value: object) -> bool:
        return isinstance(value, int) and not isinstance(value, bool) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    choices: tuple[ParameterValue, ...]

    def holds(self, value: object) -> bool:
        return any(type(value) is type(c) and value == c for c in self.choices)


Range = FloatRange | IntRange | Choice
Space = Mapping[str, Range]


def read(literal: ast.expr) -> dict[str, Range]:
    """The space from the syntax tree of its literal. Raises SpaceError."""
    try:
        declared = ast.literal_eval(literal)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        raise SpaceError("SEARCH_SPACE must be a literal dictionary (no names, no calls)") from None
    if not isinstance(declared, dict):
        raise SpaceError("SEARCH_SPACE must be a dictionary from parameter names to ranges")
    if len(declared) > MAX_PARAMETERS:
        raise SpaceError(f"SEARCH_SPACE has {len(declared)} parameters; at most {MAX_PARAMETERS} are allowed")
    space: dict[str, Range] = {}
    for name, entry in declared.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise SpaceError("the keys of SEARCH_SPACE must be parameter names")
        space[name] = _choice(name, entry) if isinstance(entry, list | tuple) else _range(name, entry)
    return space


def _choice(name: str, entry: list[object] | tuple[object, ...]) -> Choice:
    values = [v for v in entry if isinstance(v, str) or _finite(v)]
    if not 1 <= len(entry) <= MAX_CHOICES or len(values) != len(entry):
        raise SpaceError(
            f"SEARCH_SPACE[{name!r}]: a choice is a list of 1 to {MAX_CHOICES} numbers or strings"
        )
    if len({(type(v), v) for v in values}) != len(values):
        raise SpaceError(f"SEARCH_SPACE[{name!r}]: the choices must differ")
    return Choice(tuple(values))  # type: ignore[arg-type]


def _range(name: str, entry: object) -> Range:
    expected = (
        f'SEARCH_SPACE[{name!r}] must be {{"low": number, "high": number}}, optionally "log": True, or a list'
    )
    if not isinstance(entry, dict) or not {"low", "high"} <= set(entry) <= {"low", "high", "log"}:
        raise SpaceError(expected)
    low, high, log = entry["low"], entry["high"], entry.get("log", False)
    if not isinstance(log, bool) or not _finite(low) or not _finite(high):
        raise SpaceError(expected)
    if low > high:
        raise SpaceError(f"SEARCH_SPACE[{name!r}]: low {low} is above high {high}")
    if log and low <= 0:
        raise SpaceError(f"SEARCH_SPACE[{name!r}]: a log range needs low > 0, not {low}")
    whole = isinstance(low, int) and isinstance(high, int)
    if not whole and max(abs(low), abs(high)) > MAX_SIZE:
        raise SpaceError(f"SEARCH_SPACE[{name!r}]: bounds are at most {MAX_SIZE:g} in size")
    if low < high and (log or not whole) and _width(low, high, log) < MIN_WIDTH:
        raise SpaceError(f"SEARCH_SPACE[{name!r}]: {low} and {high} are too close to one another")
    return IntRange(low, high, log) if whole else FloatRange(float(low), float(high), log)


def _width(low: float, high: float, log: bool) -> float:
    if log:
        return math.log(high) - math.log(low)
    largest = max(abs(low), abs(high))
    return (high - low) / largest if high - low >= 1 / MAX_SIZE else 0.0


def _finite(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return abs(value) < 2**53 if isinstance(value, int) else math.isfinite(value)
