"""How much of an axis of scores is worth drawing: a hopeless candidate would squeeze all others into one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evaluators.task import Direction

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROOM = 0.5
"""How far beyond the best seed an axis reaches, relative to the distance from there to the best score."""
LEAST = 0.1
"""The same at least, relative to the best seed's score."""


@dataclass(frozen=True)
class Scale:
    """``edge`` is the worst score that is drawn in its place, ``best`` the best one."""

    edge: float
    best: float
    direction: Direction

    def __call__(self, score: float) -> float:
        """Where a score is drawn: worse ones at the edge."""
        return min(score, self.edge) if self.direction == "minimize" else max(score, self.edge)

    def shows(self, score: float) -> bool:
        return self(score) == score

    def apply(self, axes: Axes) -> None:
        """Set the axis of scores to what is drawn."""
        room = 0.05 * abs(self.edge - self.best) or 1.0
        low, high = sorted((self.edge, self.best))
        axes.set_ylim(low - room, high + room)


def scale(scores: Sequence[float], seeds: Sequence[float], direction: Direction) -> Scale:
    """The axis for ``scores`` (at least one) of a run that started from ``seeds``."""
    sign = 1 if direction == "minimize" else -1
    best = min(sign * s for s in (*scores, *seeds))
    start = min((sign * s for s in seeds), default=max(sign * s for s in scores))
    edge = start + max(ROOM * (start - best), LEAST * abs(start))
    return Scale(sign * min(edge, max(sign * s for s in (*scores, *seeds))), sign * best, direction)
