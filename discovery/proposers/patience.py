"""Waiting for an endpoint that went down in the middle of a run: the run pauses, says so, and goes on when it is back.

Which requests are sent and what they hold does not depend on it, so a run that waited ends like one that did not.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable

from discovery.progress import StopSignal
from discovery.proposers.base import (
    Message,
    Operator,
    Proposer,
    ProposerDown,
    ProposerRefused,
    Reply,
    Request,
)

FIRST, LONGEST = 5.0, 60.0
"""Seconds before the second attempt, doubled with every further one, and the most between two."""
SLICE = 0.2
"""Seconds after which a wait looks whether it should end."""


class Patience:
    """The outages of one sitting, shared by all threads. ``told`` hears of an outage in one sentence, and None when it
    is over. ``left`` is the wall time that the run has left, s. ``clock`` and ``sleep`` are for tests."""

    def __init__(
        self,
        minutes: float,
        stop: StopSignal,
        told: Callable[[str | None], None],
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.left: Callable[[], float] = lambda: math.inf
        self._minutes, self._stop, self._told = minutes, stop, told
        self._clock, self._sleep = clock, sleep
        self._lock = threading.Lock()
        self._replies = False
        self._began: float | None = None
        self._until = 0.0
        self._attempt = 1

    def pause(self, error: ProposerDown) -> None:
        """Wait before the request is sent again. Raises ``error`` when nothing has been answered yet, when it was
        waited long enough, or when the run is asked to end."""
        until = self._next(error)
        while self._clock() < until:
            self._patient(error)
            self._sleep(min(SLICE, max(0.0, until - self._clock())))
            if self._over():
                return
        self._patient(error)

    def answered(self) -> None:
        """The endpoint has answered."""
        with self._lock:
            self._replies = True
            over, self._began, self._attempt = self._began is not None, None, 1
        if over:
            self._told(None)

    def nap(self, seconds: float) -> None:
        """Sleep between the tries of one request, at most until the run is asked to end."""
        end = self._clock() + seconds
        while (left := end - self._clock()) > 0 and not self._stop.finishing:
            self._sleep(min(SLICE, left))

    def _next(self, error: ProposerDown) -> float:
        """When the next attempt is due; the first thread that fails after an attempt makes a new one."""
        with self._lock:
            if not self._replies:
                raise error
            now = self._clock()
            if self._began is None:
                self._began = now
            elif now < self._until:
                return self._until
            self._attempt += 1
            self._until = now + min(LONGEST, FIRST * 2.0 ** (self._attempt - 2))
            left = max(0.0, self._began + 60 * self._minutes - now) / 60
            said = f"the endpoint is down ({error}); waiting, attempt {self._attempt}, {left:.1f} min left to wait"
            until = self._until
        self._told(said)
        return until

    def _patient(self, error: ProposerDown) -> None:
        with self._lock:
            waited = 0.0 if self._began is None else self._clock() - self._began
        if self._stop.finishing:
            raise error
        if waited >= 60 * self._minutes:
            raise ProposerDown(f"{error}; it did not come back within {self._minutes:g} minutes") from error
        if self.left() <= 0:
            raise ProposerDown(f"{error}; the run's time ended while it waited") from error

    def _over(self) -> bool:
        with self._lock:
            return self._began is None


class Patient:
    """A proposer that waits where the one inside is down."""

    def __init__(self, inner: Proposer, patience: Patience) -> None:
        self.name, self.model = inner.name, inner.model
        self.operators: frozenset[Operator] = inner.operators
        self.most_tokens, self.paid = inner.most_tokens, inner.paid
        self._inner, self._patience = inner, patience

    def prompt(self, request: Request) -> tuple[Message, ...]:
        return self._inner.prompt(request)

    def reserve(self, messages: tuple[Message, ...]) -> int:
        return self._inner.reserve(messages)

    def ask(self, request: Request, messages: tuple[Message, ...]) -> Reply:
        """One reply, however often the endpoint is down until then. Raises as the proposer inside does; ProposerDown
        once it was waited long enough."""
        while True:
            try:
                reply = self._inner.ask(request, messages)
            except ProposerDown as error:
                self._patience.pause(error)
                continue
            except ProposerRefused as refused:
                if refused.reply is not None:
                    self._patience.answered()
                raise
            self._patience.answered()
            return reply
