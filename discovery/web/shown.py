"""How values become text on a page: figures, times, code, differences; all of it escaped by the templates.

Every text that a template prints passes :func:`finalize`, which shows characters that would act instead (bidirectional
marks, controls, zero-width marks) as escapes; Jinja then escapes the markup. Code and differences come as pieces, so
that an escape can be told from what the text itself says.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from discovery.escape import marked, plain
from discovery.wording import number
from evaluators.task import Direction

if TYPE_CHECKING:
    from discovery.review import Pictures

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
    if value is None:
        return "–"
    return f"{100 * value:+.{0 if abs(value) >= 1 else 1}f} %".replace("-", "−")


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


@dataclass(frozen=True)
class Balance:
    """Two scores of a class beside one another. ``better`` is by how much the first is better, in the score's unit;
    unlike ``share``, the relative gain, it means something where the other score is 0."""

    name: str
    own: float
    other: float | None
    share: float | None
    better: float | None


def balance(
    rows: Sequence[Mapping[str, Any]], own: str, other: str, share: str, direction: Direction
) -> tuple[Balance, ...]:
    """Rows of a table of classes, their fields named by the reference of ``show CANDIDATE`` and ``diff``; of a list
    (the parents) the first counts."""
    return tuple(_balance(row, own, other, share, direction) for row in rows)


def _balance(row: Mapping[str, Any], own: str, other: str, share: str, direction: Direction) -> Balance:
    value = row[other][0] if isinstance(row[other], list) else row[other]
    difference = None if value is None else (value - row[own]) * (1 if direction == "minimize" else -1)
    return Balance(row["class"], row[own], value, row[share], difference)


def largest(rows: Sequence[Balance]) -> float:
    """What a full bar stands for: the largest difference, whatever its sign."""
    return max((abs(row.better) for row in rows if row.better is not None), default=0.0) or 1.0


def kind(picture: object) -> str:
    """The macro that draws a picture: the name of its class."""
    return type(picture).__name__.lower()


def abreast(picture: object, answers: Iterable[Pictures], place: int) -> list[object]:
    """The pictures at one place of several answers that are of this picture's kind: they have one scale."""
    others = (other for answer in answers for other in answer.pictures[place : place + 1])
    return [other for other in others if type(other) is type(picture)]


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
    "balance": balance,
    "largest": largest,
    "kind": kind,
    "abreast": abreast,
}
