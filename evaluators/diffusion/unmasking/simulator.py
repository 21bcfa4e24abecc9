"""The simulator of ``diffusion``: decodes a text and asks in each pass what to unmask, and whether to stop.

Runs on the trusted side for every score of record, and inside the sandbox for the quick screen and the comparison
of event logs. Each text is decoded alone, so that what is decided about one never depends on others.
"""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import suppress
from typing import Any

import numpy as np

from evaluators.diffusion.decoding import Decoding, load
from evaluators.diffusion.denoiser.model import WeightsError
from evaluators.diffusion.problem import Log, parse

with suppress(WeightsError):  # the task tells it, when it is asked for its instances
    load()  # now, since a sandbox can read no file later


def simulate(payload: bytes, hooks: Collection[str]) -> Generator[tuple[str, tuple[Any, ...]], Any, bytes]:
    """Decode one text. Asks ``stop`` where there is one, then ``commit`` with the same view, after each forward
    pass. At least one position is unmasked in each pass (the most probable one where none is chosen), and the last
    of as many passes as there are positions unmasks all, so that every decoding ends. Gives :class:`Log`."""
    text = Decoding(*parse(payload))
    refused = idle = 0
    while not text.done:
        view = text.look()
        if text.passes == text.total or ("stop" in hooks and (yield "stop", view)):
            text.unmask(text.masked.copy())
            break
        chosen = yield "commit", view
        wanted = chosen & text.masked
        refused += int(np.count_nonzero(chosen)) - int(np.count_nonzero(wanted))
        if not wanted.any():
            idle += 1
            wanted = text.most_probable()
        text.unmask(wanted)
    return Log(text.passes, refused, idle, text.when, text.tokens).to_bytes()
