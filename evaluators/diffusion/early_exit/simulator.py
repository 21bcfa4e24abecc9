"""The simulator of ``diffusion-exit``: full decoding, of a recording or live, that asks after each pass whether to
stop.

Runs on the trusted side for every score of record, and inside the sandbox for the quick screen and the comparison
of event logs. Passes are shown one by one: what the next one says is in no view.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import suppress
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.diffusion.decoding import Decoding, load
from evaluators.diffusion.denoiser.model import WeightsError
from evaluators.diffusion.early_exit.trajectory import LIVE, Trajectory
from evaluators.diffusion.problem import parse
from evaluators.diffusion.reading import Looking

with suppress(WeightsError):  # the task tells it, when it is asked for its instances
    load()  # now, since a sandbox can read no file later

Asked = Generator[tuple[Any, ...], Any, bytes]


def simulate(payload: bytes) -> Asked:
    """Decode one text fully, asking ``stop`` after each pass but the last one. Gives how many passes it took (u2)
    and the tokens (i4 each), little-endian."""
    return _live(payload[1:]) if payload[0] == LIVE else _replayed(Trajectory.from_bytes(payload))


def _live(payload: bytes) -> Asked:
    text = Decoding(*parse(payload))
    while True:
        view = text.look()
        if text.passes == text.total or (yield view):
            text.unmask(text.masked.copy())
            return log(text.passes, text.tokens)
        text.unmask(text.most_probable())


def _replayed(recorded: Trajectory) -> Asked:
    looking = Looking(recorded.span, recorded.passes, recorded.margins.astype(np.float64), recorded.end)
    for number in range(1, recorded.passes):
        masked = recorded.masked(number)
        if not masked.any():  # its last passes fixed nothing: there is nothing left to decide
            break
        if (yield looking.look(recorded.reading(number), masked)):
            return log(number, recorded.text(number))
    return log(recorded.passes, recorded.text(recorded.passes))


def log(passes: int, tokens: npt.NDArray[Any]) -> bytes:
    """The event log."""
    return np.array(passes, "<u2").tobytes() + tokens.astype("<i4").tobytes()
