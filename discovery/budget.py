"""Limits of a run, reserved before they are spent and settled after.

Samples are counted by slots and belong to the loop; here are tokens, money and wall time. The run stops inside every
limit and keeps all that was paid for.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """None = no limit. ``tokens`` counts prompt and reply, ``cost`` is in US dollars, ``minutes`` is wall time of this
    and earlier sittings of the run."""

    samples: int
    tokens: int | None = None
    cost: float | None = None
    minutes: float | None = None


class Budget:
    """``spent`` tells what the ledger has recorded: (tokens, cost in US dollars). ``price`` is the highest cost of a
    token in US dollars, None when it is not known (then only recorded costs count)."""

    def __init__(
        self,
        limits: Limits,
        spent: Callable[[], tuple[int, float]],
        *,
        price: float | None = None,
        earlier: float = 0.0,
    ) -> None:
        self.limits = limits
        self._spent = spent
        self._price = price
        self._start = time.monotonic() - earlier
        self._open = 0
        self._lock = threading.Lock()

    @property
    def seconds(self) -> float:
        """Wall time used, s."""
        return time.monotonic() - self._start

    def exhausted(self) -> str | None:
        """Why no further batch may be proposed, or None."""
        if self.limits.minutes is not None and self.seconds >= 60 * self.limits.minutes:
            return f"the time limit of {self.limits.minutes:g} minutes is reached"
        if self.limits.tokens is None and self.limits.cost is None:
            return None
        tokens, cost = self._spent()
        if self.limits.tokens is not None and tokens >= self.limits.tokens:
            return f"the limit of {self.limits.tokens} tokens is reached ({tokens} used)"
        if self.limits.cost is not None and cost >= self.limits.cost:
            return f"the limit of {self.limits.cost:g} US dollars is reached ({cost:.4f} spent)"
        return None

    @contextmanager
    def reserved(self, tokens: int) -> Iterator[bool]:
        """Hold ``tokens`` while a request is in flight. Yields False, and holds nothing, when they do not fit."""
        with self._lock:
            granted = self._fits(tokens)
            if granted:
                self._open += tokens
        try:
            yield granted
        finally:
            if granted:
                with self._lock:
                    self._open -= tokens

    def _fits(self, tokens: int) -> bool:
        if not tokens or (self.limits.tokens is None and self.limits.cost is None):
            return True
        used, cost = self._spent()
        if self.limits.tokens is not None and used + self._open + tokens > self.limits.tokens:
            return False
        if self.limits.cost is None:
            return True
        return cost + (self._open + tokens) * (self._price or 0.0) <= self.limits.cost
