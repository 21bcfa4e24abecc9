"""Limits of a run, reserved before they are spent.

Samples are counted by slots. Everything else is decided on between batches, when every earlier reply is in: as many
slots are given out as fit even if each reply is as long as it may be and each candidate is run and tuned. So what fits
is a function of replies and scores, never of what happened to be in flight, and no limit is crossed.

Time cannot be foreseen so strictly. A batch is given out when twice the longest step so far still fits: one for the
batch that is under way, one for its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """None = no limit. ``tokens`` counts prompt and reply, ``cost`` is in US dollars. ``evaluations`` counts candidates
    and tuning trials run on the search split. ``minutes`` is wall time and ``cpu_minutes`` the candidates' processor
    time, both of this and earlier sittings of the run."""

    samples: int
    tokens: int | None = None
    cost: float | None = None
    evaluations: int | None = None
    minutes: float | None = None
    cpu_minutes: float | None = None


@dataclass(frozen=True)
class Allowance:
    """What a batch may do: propose in its first ``slots`` slots, repair in its first ``repairs``, and tune ``studies``
    of its candidates (None: as many as the run tunes of any batch)."""

    slots: int
    repairs: int
    studies: int | None = None

    def tuned(self, most: int) -> int:
        """How many candidates may be tuned where a batch tunes at most ``most``."""
        return most if self.studies is None else min(most, self.studies)


@dataclass(frozen=True)
class Load:
    """Evaluations that batches may need. ``owed``: most that the batch before has still to run. A batch tunes at most
    ``studies`` of its candidates, at ``runs`` evaluations each."""

    owed: int = 0
    studies: int = 0
    runs: int = 0


class Budget:
    """``spent`` tells what the ledger has recorded, (tokens, cost in US dollars), and ``evaluated`` the evaluations of
    all integrated batches. ``price`` is the highest cost of a token in US dollars; it is needed where there is a limit
    of cost. ``processor`` is the processor time of this sitting so far, s; ``earlier`` and ``earlier_cpu`` are wall and
    processor time of the sittings before it."""

    def __init__(
        self,
        limits: Limits,
        spent: Callable[[], tuple[int, float]],
        *,
        evaluated: Callable[[], int] = lambda: 0,
        processor: Callable[[], float] = lambda: 0.0,
        price: float | None = None,
        earlier: float = 0.0,
        earlier_cpu: float = 0.0,
    ) -> None:
        if limits.cost is not None and price is None:
            raise ValueError("a limit of cost needs a price")
        self.limits = limits
        self._spent, self._evaluated, self._processor = spent, evaluated, processor
        self._price = price or 0.0
        self._start = time.monotonic() - earlier
        self._earlier_cpu = earlier_cpu
        self._last: tuple[float, float] | None = None
        self._longest = (0.0, 0.0)
        self.ended: str | None = None
        """Why the last batch was cut short or not given out; None while the samples alone decide."""

    @property
    def seconds(self) -> float:
        """Wall time used, s."""
        return time.monotonic() - self._start

    def left(self) -> float:
        """Wall time left, s; infinite without a limit."""
        return float("inf") if self.limits.minutes is None else 60 * self.limits.minutes - self.seconds

    @property
    def cpu_seconds(self) -> float:
        """Processor time of candidates used, s: their evaluations, trials, confirmations and gate looks."""
        return self._earlier_cpu + self._processor()

    def allow(
        self, slots: int, reserve: Callable[[int], Sequence[int]], most: int, load: Load = Load()
    ) -> Allowance:
        """What the next batch of at most ``slots`` slots may do. ``reserve(slots)`` gives the tokens to reserve for
        the first request of each slot, ``most`` those of any request (a repair). Called between batches only."""
        if not slots:
            return Allowance(0, 0)
        late = self._late()
        if late is not None:
            self.ended = late
            return Allowance(0, 0)
        return self._runnable(self._payable(slots, reserve, most), load)

    def _late(self) -> str | None:
        """The limit of time that another batch might cross."""
        now = (self.seconds, self.cpu_seconds)
        if self._last is not None:
            wall, cpu = (b - a for a, b in zip(self._last, now, strict=True))
            self._longest = (max(wall, self._longest[0]), max(cpu, self._longest[1]))
        self._last = now
        named = ((self.limits.minutes, "time"), (self.limits.cpu_minutes, "processor time"))
        for (limit, what), used, longer in zip(named, now, self._longest, strict=True):
            if limit is None:
                continue
            if used >= 60 * limit:
                return f"the {what} limit of {limit:g} minutes is reached"
            if used + 2 * longer > 60 * limit:
                return (
                    f"the {what} limit of {limit:g} minutes leaves no room for another batch "
                    f"({used:.0f} s used, the longest step took {longer:.0f} s)"
                )
        return None

    def _payable(self, slots: int, reserve: Callable[[int], Sequence[int]], most: int) -> Allowance:
        """As far as tokens and money go."""
        limits = self.limits
        if limits.tokens is None and limits.cost is None:
            return Allowance(slots, slots)
        used, paid = self._spent()
        room = float("inf") if limits.tokens is None else float(limits.tokens - used)
        if limits.cost is not None and self._price > 0:
            room = min(room, (limits.cost - paid) / self._price)
        given = 0
        for tokens in reserve(slots):
            if tokens > room:
                self.ended = self._sentence(used, paid)
                break
            room -= tokens
            given += 1
        repairs = given if most <= 0 or room == float("inf") else int(min(given, max(0.0, room // most)))
        return Allowance(given, repairs)

    def _runnable(self, allowance: Allowance, load: Load) -> Allowance:
        """As far as evaluations go: candidates first, what is left to tuning."""
        limit = self.limits.evaluations
        if limit is None:
            return allowance
        used = self._evaluated()
        room = max(0, limit - used - load.owed)
        given = min(allowance.slots, room)
        if given < allowance.slots:
            self.ended = (
                f"the limit of {limit:,} evaluations ({used:,} used, up to {load.owed:,} under way) "
                "leaves no room for another candidate"
            )
        studies = min(load.studies, (room - given) // load.runs) if load.runs else load.studies
        return Allowance(given, min(given, allowance.repairs), studies)

    def _sentence(self, used: int, paid: float) -> str:
        limits = []
        if self.limits.tokens is not None:
            limits.append(f"{self.limits.tokens:,} tokens ({used:,} used)")
        if self.limits.cost is not None:
            limits.append(f"{self.limits.cost:g} US dollars ({paid:.4f} spent)")
        return f"the limit of {' and '.join(limits)} leaves no room for the longest reply to another request"
