"""Kills the process that it is loaded in, at a chosen place in a run's work and a moment after it.

The command line under test is the real one, and so is the signal; only the moment is made, so that each part of the
work is certain to be hit."""

from __future__ import annotations

import itertools
import json
import os
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

PLACES = {
    "start": ("discovery.assembly", "Campaign", "__init__", 0.02),
    "propose": ("discovery.slots", "Slots", "_ask", 0.08),
    "reply": ("db.ledger", "Ledger", "record_reply", 0.002),
    "evaluate": ("discovery.evaluation", "Evaluation", "search", 0.03),
    "tune": ("discovery.tuning", "Tuning", "tune", 0.12),
    "integrate": ("discovery.campaign", "Campaign", "integrate", 0.04),
    "commit": ("db.ledger", "Ledger", "_integrate", 0.006),
    "checkpoint": ("discovery.checkpoints", "FileSaver", "put", 0.004),
    "restore": ("discovery.campaign", "Campaign", "restore", 0.02),
    "finish": ("discovery.gate", "Gate", "report", 0.03),
}
"""Where to wait: module, class and method, and the longest moment to let pass after its call, s."""


def arm(place: str, nth: int, share: float, told: str) -> None:
    """Die ``share`` of the longest moment after call number ``nth`` of a place begins. Who would be orphaned then is
    written to the file ``told`` first."""
    module, owner, method, longest = PLACES[place]
    held: Any = getattr(__import__(module, fromlist=[owner]), owner)
    work, calls = getattr(held, method), itertools.count(1)

    def counted(*args: Any, **more: Any) -> Any:
        if next(calls) == nth:
            threading.Thread(target=_die, args=(share * longest, told), daemon=True).start()
        return work(*args, **more)

    setattr(held, method, counted)


def _die(after: float, told: str) -> None:
    time.sleep(after)
    alive = [(pid, started(pid)) for pid in descendants(os.getpid())]
    Path(told).write_text(json.dumps([pair for pair in alive if pair[1] is not None]))
    os.kill(os.getpid(), signal.SIGKILL)


def descendants(pid: int) -> list[int]:
    """All processes that descend from one, as far as they still run."""
    found = []
    for child in _children(pid):
        found += [child, *descendants(child)]
    return found


def _children(pid: int) -> list[int]:
    """The children of a process and of all its threads; of one that ends meanwhile, as many as were read."""
    found: list[int] = []
    with suppress(OSError):
        for file in Path(f"/proc/{pid}/task").glob("*/children"):
            with suppress(OSError):
                found += map(int, file.read_text().split())
    return found


def started(pid: int) -> int | None:
    """When a process began, in the kernel's ticks; None when it is gone or waits to be reaped. With the pid it names a
    process for good."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])
