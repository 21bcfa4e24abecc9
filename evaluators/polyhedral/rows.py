"""Values of rows without isl: an affine form is read once and then evaluated at numbers or at whole arrays of them.

A row's names are iterators and sizes, or tiles ``floor((form)/n)`` with such a form inside
(:func:`evaluators.polyhedral.tree.tile_row`), as deep as tiles are cut into tiles.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evaluators.polyhedral.program import Affine

FLOOR = re.compile(r"floor\(\((?P<form>.*)\)/(?P<size>[0-9]+)\)")
TERM = re.compile(r"(?P<sign>-?)(?:(?P<number>[0-9]+)(?:\*(?P<factor>.+))?|(?P<name>.+))")


@dataclass(frozen=True)
class Form:
    """``sum(coefficient * name) + sum(coefficient * floor(form / size)) + constant``."""

    names: tuple[tuple[int, str], ...]
    tiles: tuple[tuple[int, Form, int], ...]
    constant: int

    def at(self, values: Mapping[str, Any]) -> Any:
        """Its value; whole numbers give a whole number, arrays of int64 (all of one shape) an array."""
        found: Any = self.constant
        for coefficient, name in self.names:
            found = found + coefficient * values[name]
        for coefficient, form, size in self.tiles:
            found = found + coefficient * (form.at(values) // size)  # // rounds down, below 0 as well
        return found


def form(row: Affine) -> Form:
    """The form of a row."""
    names, tiles = [], []
    for name, coefficient in row.terms:
        tile = FLOOR.fullmatch(name)
        if tile is None:
            names.append((coefficient, name))
        else:
            tiles.append((coefficient, form(_affine(tile["form"])), int(tile["size"])))
    return Form(tuple(names), tuple(tiles), row.constant)


def counts_tiles(row: Affine) -> bool:
    """Whether a loop with this row counts tiles and nothing else, skewed or not."""
    return bool(row.terms) and all(FLOOR.fullmatch(name) for name in row.names)


def tile_size(row: Affine) -> int | None:
    """The size of the tiles that a row counts one by one, to and fro; None for any other row."""
    if len(row.terms) != 1 or row.constant or abs(row.terms[0][1]) != 1:
        return None
    tile = FLOOR.fullmatch(row.terms[0][0])
    return int(tile["size"]) if tile is not None else None


def _affine(text: str) -> Affine:
    """What ``str`` wrote of an affine form."""
    terms: dict[str, int] = {}
    constant = 0
    for part in _parts(text):
        term = TERM.fullmatch(part)
        assert term is not None, part
        number = int(term["number"] or 1) * (-1 if term["sign"] else 1)
        name = term["factor"] or term["name"]
        if name is None:
            constant += number
        else:
            terms[name] = number
    return Affine.of(terms, constant)


def _parts(text: str) -> list[str]:
    """Its terms, each with its sign: what stands between the signs that no bracket holds."""
    found, depth = [""], 0
    for word in text.split(" "):
        if depth == 0 and word in ("+", "-"):
            found.append("-" if word == "-" else "")
        else:
            found[-1] += word if depth == 0 else f" {word}"
            depth += word.count("(") - word.count(")")
    return found
