"""Full decoding by a shipped denoiser, as far as anyone has asked for it.

Stopping changes nothing of what came before, so that all policies share the passes of a text: the first one that goes
so far pays for them.
"""

from __future__ import annotations

from functools import lru_cache
from threading import Lock

import numpy as np

from evaluators.diffusion.decoding import margins, seen
from evaluators.diffusion.denoiser.shapes import SHAPES
from evaluators.diffusion.early_exit.trajectory import LIVE, Array, Trajectory
from evaluators.diffusion.problem import parse
from evaluators.diffusion.reading import Reading, read
from evaluators.diffusion.tokens import END, MASK

KEPT = 6400
"""Texts whose passes a process keeps, the two blocks of the gate: at most 11 kB each."""


class Live:
    """What :class:`evaluators.diffusion.early_exit.trajectory.Trajectory` tells of a recording, made as it is asked
    for. Threads may share it."""

    end = END

    def __init__(self, model: str, prompt: bytes) -> None:
        self.span = self.passes = SHAPES[model].scale.span
        self.margins = margins(model)
        self.prompt = prompt
        self._model = model
        self._tokens = np.full(self.span, MASK, np.uint8)
        self._before: bytes | None = None
        self._said: list[bytes] = []
        """Of each pass four readings, float16, and the most probable tokens, uint8."""
        self._fixed: list[int] = []
        """Which position was fixed after each pass."""
        self._lock = Lock()

    def reading(self, number: int) -> Reading:
        """The reading of pass ``number``, from 1."""
        with self._lock:
            while len(self._said) < number:
                self._go_on()
        said, at = self._said[number - 1], 8 * self.span
        probability, margin, entropy, drift = np.frombuffer(said[:at], np.float16).reshape(4, self.span)
        best = np.frombuffer(said[at:], np.uint8).astype(np.int64)
        return Reading(probability, margin, entropy, drift, best)

    def masked(self, number: int) -> Array:
        """What is masked in pass ``number``."""
        self.reading(number)
        masked = np.ones(self.span, bool)
        masked[self._fixed[: number - 1]] = False
        return masked

    def text(self, number: int) -> Array:
        """The tokens that stopping after pass ``number`` gives, int64 (span,)."""
        tokens = self.reading(number).best
        for at, position in enumerate(self._fixed[: number - 1], start=1):
            tokens[position] = self.reading(at).best[position]
        return tokens

    def _go_on(self) -> None:
        """One more pass, and the most probable masked position fixed."""
        now = self.prompt + self._tokens.tobytes()
        log = None if self._before is None else read(seen(self._model, self._before), None)[1]
        found, _ = read(seen(self._model, now), log)
        probability = np.where(self._tokens == MASK, found.probability, -1.0)
        position = int(probability.argmax())
        self._tokens[position] = found.best[position]
        self._before = now
        self._fixed.append(position)
        readings = np.stack([found.probability, found.margin, found.entropy, found.drift])
        self._said.append(readings.tobytes() + found.best.astype(np.uint8).tobytes())


@lru_cache(maxsize=KEPT)
def _live(model: str, prompt: bytes) -> Live:
    return Live(model, prompt)


def decoding_of(payload: bytes) -> Live | Trajectory:
    """What full decoding says, pass by pass: recorded, or live."""
    if payload[0] != LIVE:
        return Trajectory.from_bytes(payload)
    model, prompt = parse(payload[1:])
    return _live(model, prompt.astype(np.uint8).tobytes())
