"""Ctrl-C in two steps: the first finishes what is running, the second stops; SIGTERM counts like the first."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from discovery.progress import StopSignal

FIRST = "finishing what is running; Ctrl-C again to stop now, `discover resume` goes on later"
SECOND = "stopping; `discover resume` goes on later"


@contextmanager
def listening(say: Callable[[str], None]) -> Iterator[StopSignal]:
    """A stop signal bound to SIGINT and SIGTERM while the block runs; a third Ctrl-C interrupts at once.

    The handlers only count and say one sentence: they may run between any two instructions of the main thread."""
    stop = StopSignal()

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        requests = stop.request()
        if requests > 2:
            raise KeyboardInterrupt
        say(FIRST if requests == 1 else SECOND)

    def terminated(_number: int, _frame: FrameType | None) -> None:
        if not stop.finishing:
            stop.request()

    before = {n: signal.signal(n, h) for n, h in ((signal.SIGINT, interrupted), (signal.SIGTERM, terminated))}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
