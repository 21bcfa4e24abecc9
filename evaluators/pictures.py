"""Pictures of an answer, as plain data: a task says what is in them, pages and notebooks draw them.

A task that has pictures implements :class:`Pictured`; nothing else knows about it. A family that needs another kind of
picture adds a dataclass here and a drawing of it to the pages (docs/web.md says where).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from evaluators.task import Instance


@dataclass(frozen=True)
class Span:
    """A stretch of a lane, such as a job on a machine. ``level`` from 0 (as it should be) to 1 (the worst in the
    picture) says how bad it is and colours it, or ``kind`` does, one of the timeline's; ``note`` is a sentence for
    whoever points at it."""

    start: float
    end: float
    label: str
    level: float = 0.0
    note: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Lane:
    """A machine, a worker or a candidate over time; spans do not overlap. ``total`` says what it comes to."""

    name: str
    spans: tuple[Span, ...]
    total: str = ""


@dataclass(frozen=True)
class Timeline:
    """A Gantt chart: lanes over one time axis that begins at 0. ``caption`` tells how to read it. Without ``kinds`` the
    answer is a lane, the first, and what it is compared with are the others. With ``kinds`` of spans, in the order of a
    legend, the answer is all lanes together: thin lines, of which there may be many."""

    title: str
    caption: str
    unit: str
    lanes: tuple[Lane, ...]
    kinds: tuple[str, ...] = ()

    @property
    def end(self) -> float:
        return max((span.end for lane in self.lanes for span in lane.spans), default=0.0)

    @property
    def lengths(self) -> dict[str, float]:
        """What the spans of each kind that is there come to."""
        spans = [span for lane in self.lanes for span in lane.spans]
        found = {kind: sum(s.end - s.start for s in spans if s.kind == kind) for kind in self.kinds}
        return {kind: length for kind, length in found.items() if length}


@dataclass(frozen=True)
class Tile:
    """A rectangle, such as a buffer in memory over its life, or a part of an iteration space. ``level``, ``kind`` and
    ``note`` are as a span's."""

    left: float
    right: float
    bottom: float
    top: float
    label: str
    level: float = 0.0
    note: str = ""
    kind: str = ""


@dataclass(frozen=True)
class Mark:
    """A level that is drawn across the whole picture, such as the height of a placing or a limit to it."""

    name: str
    at: float


@dataclass(frozen=True)
class Tiles:
    """Rectangles on two axes that both begin at 0, the vertical one upwards, and marks across them. ``caption`` tells
    how to read it, ``across`` and ``up`` what the axes are. With ``kinds``, in the order of a legend, tiles are
    coloured by theirs, else by their level."""

    title: str
    caption: str
    across: str
    up: str
    tiles: tuple[Tile, ...]
    marks: tuple[Mark, ...] = ()
    kinds: tuple[str, ...] = ()

    @property
    def end(self) -> float:
        """Where the horizontal axis ends."""
        return max((tile.right for tile in self.tiles), default=0.0)

    @property
    def top(self) -> float:
        """Where the vertical axis ends."""
        return max([*(tile.top for tile in self.tiles), *(mark.at for mark in self.marks)], default=0.0)

    @property
    def used(self) -> tuple[str, ...]:
        """The kinds that some tile has, in their order."""
        there = {tile.kind for tile in self.tiles}
        return tuple(kind for kind in self.kinds if kind in there)


@dataclass(frozen=True)
class Line:
    """A line of an outline, ``depth`` steps to the right; ``kind``, one of the outline's, colours it."""

    depth: int
    text: str
    kind: str = ""


@dataclass(frozen=True)
class Column:
    """An outline under its name; ``steps`` tell below it, in words, how it came to be."""

    name: str
    lines: tuple[Line, ...]
    steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outline:
    """What is nested, such as the loops of a program, as indented lines. The answer is the last column, and those
    before it are what it is compared with. ``caption`` tells how to read it; ``kinds`` of lines, in the order of a
    legend."""

    title: str
    caption: str
    columns: tuple[Column, ...]
    kinds: tuple[str, ...] = ()

    @property
    def used(self) -> tuple[str, ...]:
        """The kinds that some line has, in their order."""
        there = {line.kind for column in self.columns for line in column.lines}
        return tuple(kind for kind in self.kinds if kind in there)


@dataclass(frozen=True)
class Curve:
    """A line through points (abscissa, ordinate), from left to right."""

    name: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Curves:
    """Lines over one horizontal axis that begins at 0, such as a rate over the steps of a run; at most five. The answer
    is the first, and the others are what it is compared with. The vertical axis begins at 0 or, where it is
    ``logarithmic``, at the least ordinate: all are then above 0. ``caption`` tells how to read it, ``across`` and
    ``up`` what the axes are."""

    title: str
    caption: str
    across: str
    up: str
    curves: tuple[Curve, ...]
    logarithmic: bool = False

    @property
    def end(self) -> float:
        """Where the horizontal axis ends."""
        return max((x for curve in self.curves for x, _ in curve.points), default=0.0)

    @property
    def top(self) -> float:
        """Where the vertical axis ends."""
        return max((y for curve in self.curves for _, y in curve.points), default=0.0)

    @property
    def bottom(self) -> float:
        """Where the vertical axis begins."""
        least = min((y for curve in self.curves for _, y in curve.points), default=0.0)
        return least if self.logarithmic else min(least, 0.0)

    def placed(self, end: float, bottom: float, top: float) -> list[list[tuple[float, float]]]:
        """The points of each curve as shares of axes that end at ``end`` and lie between ``bottom`` and ``top``."""
        scale: Callable[[float], float] = math.log if self.logarithmic else float
        low = scale(bottom)
        height = scale(top) - low or 1.0
        return [[(x / (end or 1.0), (scale(y) - low) / height) for x, y in c.points] for c in self.curves]


Picture = Timeline | Tiles | Outline | Curves


@dataclass(frozen=True)
class Grid:
    """Mean scores by class on two axes of the task's own; ``values`` row by row, None where there is no class."""

    row: str
    column: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    values: tuple[tuple[float | None, ...], ...]


@runtime_checkable
class Pictured(Protocol):
    """A task that can show an answer."""

    def pictures(self, instance: Instance, answer: bytes) -> Sequence[Picture]:
        """Pictures of a valid answer to one instance, the reference beside it where there is one. A pure function;
        labels and notes are the task's own words, never a candidate's."""
        ...


@runtime_checkable
class Gridded(Protocol):
    """A task whose classes lie on a grid."""

    def grid(self, means: Mapping[str, float]) -> Grid:
        """The mean scores of classes in their places, averaged over whatever else tells classes apart."""
        ...
