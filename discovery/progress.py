"""What a run tells while it works, and how one asks it to end.

The run makes a :class:`Progress` whenever something changed and hands it to its listener; the terminal view and the
web page draw the same object. :class:`StopSignal` goes the other way.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from evaluators.task import Direction

Phase = Literal["preparing", "seeds", "searching", "finishing", "done"]


@dataclass(frozen=True)
class Standing:
    """A candidate or baseline and its scores. ``name`` is a baseline's name or a candidate's first 8 hex digits;
    ``gate`` is read on the report blocks and None until it is known."""

    name: str
    search: float | None
    gate: float | None = None


@dataclass(frozen=True)
class Spent:
    """How much of a budget is used. ``limit`` is None where there is none."""

    used: float = 0.0
    limit: float | None = None


@dataclass(frozen=True)
class Look:
    """One gate comparison with the champion. ``gain`` is relative (0.12 = 12 % better), ``alpha`` the level it had
    to meet."""

    number: int
    candidate: str
    gain: float
    p: float
    alpha: float
    promoted: bool


@dataclass(frozen=True)
class Progress:
    """The state of a run at one moment. Counts are totals since the run began, earlier sessions included."""

    run: str
    task: str
    direction: Direction
    unit: str
    proposer: str
    phase: Phase
    batch: int = 0
    samples: Spent = Spent()
    tokens: Spent = Spent()
    cost: Spent = Spent()
    """US dollars."""
    seconds: Spent = Spent()
    """Wall time; ``limit`` is ``--minutes`` in seconds."""
    evaluations: Spent = Spent()
    cpu_seconds: Spent = Spent()
    """Processor time of candidates; ``limit`` is ``--cpu-minutes`` in seconds."""
    evaluated: int = 0
    valid: int = 0
    duplicates: int = 0
    failures: Mapping[str, int] = field(default_factory=dict)
    """Lost candidates by kind: refused, rejected, timeout, killed, error, quarantined, lost, near-copy."""
    best: Standing | None = None
    """Best on search so far, promoted or not."""
    champion: Standing | None = None
    seeds: tuple[Standing, ...] = ()
    baseline: Standing | None = None
    """The best of all baselines, seed of this run or not."""
    looks: tuple[Look, ...] = ()
    """The latest few, oldest first."""
    proposing: int = 0
    evaluating: int = 0
    tuning: int = 0
    notice: str | None = None
    """What holds the run up at the moment, in one sentence: an endpoint that is down."""
    eta: float | None = None
    """Seconds to the end at the present pace; None while unknown."""


def gain(direction: Direction, score: float | None, against: float | None) -> float | None:
    """How much better ``score`` is, relative to ``against`` (positive = better); None where that means nothing."""
    if score is None or against is None or against == 0:
        return None
    better = against - score if direction == "minimize" else score - against
    return better / abs(against)


class StopSignal:
    """A request to end after what is running.

    Set from signal handlers, so it holds a plain counter and no lock (a handler that waits for a lock which the
    interrupted thread holds would hang). The run looks at it between steps."""

    def __init__(self) -> None:
        self._requests = 0

    def request(self) -> int:
        """One more request to end; how many there were."""
        self._requests += 1
        return self._requests

    @property
    def finishing(self) -> bool:
        """Start nothing new; let what is running end and be recorded."""
        return self._requests >= 1
