"""Ctrl-C in two steps: the first finishes what is running, the second stops; SIGTERM counts like the first, and so does
a terminal that is closed.

The second ends the process on the spot. That loses nothing: the ledger is written before anything counts, and the
zygotes end when their host does. A model's slow reply could otherwise hold the process for minutes.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from discovery.cli.output import mute, urgent
from discovery.progress import StopSignal

FIRST = "finishing what is running; Ctrl-C again to stop now, `discover resume` goes on later"
SHOW_CURSOR = "\x1b[?25h"
SECOND = "stopping; `discover resume` goes on later"


@contextmanager
def listening(
    say: Callable[[str], None], *, first: str = FIRST, second: str = SECOND
) -> Iterator[StopSignal]:
    """A stop signal bound to SIGINT, SIGTERM and SIGHUP while the block runs. ``first`` and ``second`` are what the two
    Ctrl-C say.

    The handlers only count and say one sentence: they may run between any two instructions of the main thread."""
    stop = StopSignal()

    def tell(text: str) -> None:
        try:
            say(text)
        except RuntimeError:  # the signal came in the middle of a write to the same stream
            urgent(text)

    def interrupted(_number: int, _frame: FrameType | None) -> None:
        if stop.request() == 1:
            tell(first)
            return
        tell(second)
        with contextlib.suppress(RuntimeError):
            sys.stderr.write(SHOW_CURSOR if sys.stderr.isatty() else "")
            sys.stderr.flush()
        os._exit(130)

    def terminated(_number: int, _frame: FrameType | None) -> None:
        if not stop.finishing:
            stop.request()

    def hung_up(number: int, frame: FrameType | None) -> None:
        for descriptor in terminals:
            mute(descriptor)
        terminated(number, frame)

    terminals = [d for d in (1, 2) if os.isatty(d)]  # a closed one does not say so any more
    handlers = {signal.SIGINT: interrupted, signal.SIGTERM: terminated, signal.SIGHUP: hung_up}
    if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:  # started by nohup
        del handlers[signal.SIGHUP]
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
