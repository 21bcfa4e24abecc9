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

from evaluators.diffusion.decoding import load
from evaluators.diffusion.denoiser.model import WeightsError
from evaluators.diffusion.early_exit.live import decoding_of
from evaluators.diffusion.reading import Looking

with suppress(WeightsError):  # the task tells it, when it is asked for its instances
    load()  # now, since a sandbox can read no file later

Asked = Generator[tuple[Any, ...], Any, bytes]


def simulate(payload: bytes) -> Asked:
    """Decode one text fully, asking ``stop`` after each pass but the last one. Gives how many passes it took (u2)
    and the tokens (i4 each), little-endian."""
    text = decoding_of(payload)
    looking = Looking(text.span, text.passes, text.margins.astype(np.float64), text.end)
    for number in range(1, text.passes):
        masked = text.masked(number)
        if (
            not masked.any()
        ):  # the last passes of some recordings fix nothing: there is nothing left to decide
            break
        if (yield looking.look(text.reading(number), masked)):
            return log(number, text.text(number))
    return log(text.passes, text.text(text.passes))


def log(passes: int, tokens: npt.NDArray[Any]) -> bytes:
    """The event log."""
    return np.array(passes, "<u2").tobytes() + tokens.astype("<i4").tobytes()
