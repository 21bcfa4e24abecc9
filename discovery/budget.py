"""Limits of a run, reserved before they are spent.

Samples are counted by slots. Tokens, money and time are decided on between batches, when every earlier reply is in:
as many slots are given out as fit even if each reply is as long as it may be. So what fits is a function of the
replies, never of what happened to be in flight, and no limit is ever crossed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """None = no limit. ``tokens`` counts prompt and reply, ``cost`` is in US dollars, ``minutes`` is wall time of this
    and earlier sittings of the run."""

    samples: int
    tokens: int | None = None
    cost: float | None = None
    minutes: float | None = None


@dataclass(frozen=True)
class Allowance:
    """What a batch may do: propose in its first ``slots`` slots, and repair in its first ``repairs``."""

    slots: int
    repairs: int


class Budget:
    """``spent`` tells what the ledger has recorded: (tokens, cost in US dollars). ``price`` is the highest cost of a
    token in US dollars; it is needed where there is a limit of cost."""

    def __init__(
        self,
        limits: Limits,
        spent: Callable[[], tuple[int, float]],
        *,
        price: float | None = None,
        earlier: float = 0.0,
    ) -> None:
        if limits.cost is not None and price is None:
            raise ValueError("a limit of cost needs a price")
        self.limits = limits
        self._spent = spent
        self._price = price or 0.0
        self._start = time.monotonic() - earlier
        self.ended: str | None = None
        """Why the last batch was cut short or not given out; None while the samples alone decide."""

    @property
    def seconds(self) -> float:
        """Wall time used, s."""
        return time.monotonic() - self._start

    def allow(self, slots: int, reserve: Callable[[int], Sequence[int]], most: int) -> Allowance:
        """What the next batch of at most ``slots`` slots may do. ``reserve(slots)`` gives the tokens to reserve for
        the first request of each slot, ``most`` those of any request (a repair). Called between batches only."""
        limits = self.limits
        if slots and limits.minutes is not None and self.seconds >= 60 * limits.minutes:
            self.ended = f"the time limit of {limits.minutes:g} minutes is reached"
            return Allowance(0, 0)
        if not slots or (limits.tokens is None and limits.cost is None):
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

    def _sentence(self, used: int, paid: float) -> str:
        limits = []
        if self.limits.tokens is not None:
            limits.append(f"{self.limits.tokens:,} tokens ({used:,} used)")
        if self.limits.cost is not None:
            limits.append(f"{self.limits.cost:g} US dollars ({paid:.4f} spent)")
        return f"the limit of {' and '.join(limits)} leaves no room for the longest reply to another request"
