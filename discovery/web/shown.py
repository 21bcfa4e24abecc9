"""How values become text on a page: figures, times, code, differences; all of it escaped by the templates.

Every text that a template prints passes :func:`finalize`, which shows characters that would act instead (bidirectional
marks, controls, zero-width marks) as escapes; Jinja then escapes the markup. Code and differences come as pieces, so
that an escape can be told from what the text itself says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from discovery.escape import marked, plain
from discovery.wording import number

COLOURED = 40_000
"""Characters of code that are coloured at most: a candidate has 32 KB; a longer text is shown as it is."""
CALM = "plain"


@dataclass(frozen=True)
class Piece:
    """A run of text. ``kind`` is a class of the style sheet: a token's, ``control`` for an escape, or ``plain``."""

    text: str
    kind: str = CALM


@dataclass(frozen=True)
class Line:
    """A line of a difference; ``kind`` is added, removed, place, file or same."""

    kind: str
    pieces: tuple[Piece, ...]


def finalize(value: object) -> object:
    """What a template prints for a value."""
    if value is None:
        return "–"
    if isinstance(value, str) and not isinstance(value, Markup):
        return plain(value, lines=True)
    return value


def shown(value: object) -> str:
    """A value as people read it: four digits, words for truth, JSON for what is nested."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, str | int):
        return str(value)
    return json.dumps(value, ensure_ascii=False, default=str)


def label(name: str) -> str:
    """A field's name as words."""
    return name.replace("_", " ")


def share(value: float | None) -> str:
    """A relative gain with its sign, in percent."""
    return "–" if value is None else f"{100 * value:+.1f} %".replace("-", "−")


def milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:.3g} ms"


def pieces(text: str) -> tuple[Piece, ...]:
    """A text with its escapes marked."""
    return tuple(Piece(run, "control" if acts else CALM) for run, acts in marked(text, lines=True))


def code(text: str) -> tuple[Piece, ...]:
    """Python source, its tokens coloured."""
    if len(text) > COLOURED:
        return pieces(text)
    return tuple(_tokens(text))


def _tokens(text: str) -> Iterator[Piece]:
    from pygments.lexers.python import PythonLexer
    from pygments.token import STANDARD_TYPES

    for _, token, value in PythonLexer().get_tokens_unprocessed(text):
        kind = STANDARD_TYPES.get(token) or STANDARD_TYPES.get(token.parent) or CALM
        for run, acts in marked(value, lines=True):
            yield Piece(run, "control" if acts else f"t-{kind[0]}" if kind != CALM else CALM)


def difference(text: str) -> tuple[Line, ...]:
    """A unified difference by lines."""
    return tuple(Line(_kind(line), pieces(line)) for line in text.split("\n")) if text else ()


def _kind(line: str) -> str:
    if line.startswith(("+++ ", "--- ")):
        return "file"
    return {"+": "added", "-": "removed", "@": "place", "\\": "place"}.get(line[:1], "same")


def line_numbers(text: str) -> str:
    """The numbers of a text's lines, one a line."""
    return "\n".join(str(n) for n in range(1, text.count("\n") + 1 + (not text.endswith("\n"))))


def largest(rows: Sequence[Mapping[str, Any]], field: str) -> float:
    """What a full bar stands for: the largest share among the rows, whatever its sign, from 2 % to 100 %."""
    return min(1.0, max((abs(row[field]) for row in rows if row[field] is not None), default=0.02) or 0.02)


FILTERS: dict[str, Any] = {
    "shown": shown,
    "label": label,
    "number": lambda value: "–" if value is None else number(value),
    "share": share,
    "milliseconds": milliseconds,
    "pieces": pieces,
    "code": code,
    "difference": difference,
    "line_numbers": line_numbers,
    "largest": largest,
}
