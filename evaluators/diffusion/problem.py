"""The bytes of live decodings: what a policy decides on, and the event log of what it did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.diffusion.denoiser.shapes import SHAPES

MODELS = tuple(SHAPES)
DECISION_SECONDS = 0.02
"""Processor time of a decision, s. Inside the sandbox a forward pass of two to five milliseconds comes before each."""


def payload(model: str, identity: bytes, prompt: npt.NDArray[np.integer[Any]]) -> bytes:
    """The number of the model, its identity (eight bytes), and the prompt's tokens."""
    return bytes([MODELS.index(model)]) + identity + bytes(prompt.tolist())


def parse(data: bytes) -> tuple[str, npt.NDArray[np.int64]]:
    """The model's name and the prompt's tokens of :func:`payload`."""
    return MODELS[data[0]], np.frombuffer(data, np.uint8, offset=9).astype(np.int64)


@dataclass(frozen=True)
class Log:
    """The event log of a live decoding. ``when``: in which pass each position was unmasked, from 1; those that stopping
    filled in have the last pass. ``refused``: positions that were chosen though they were no longer masked; ``idle``:
    passes in which no masked one was chosen."""

    passes: int
    refused: int
    idle: int
    when: npt.NDArray[np.uint8]
    tokens: npt.NDArray[np.uint8]

    def to_bytes(self) -> bytes:
        """Little-endian: three u2, then u1[span] twice."""
        head = np.array([self.passes, min(self.refused, 65535), self.idle], "<u2")
        return head.tobytes() + self.when.tobytes() + self.tokens.tobytes()

    @classmethod
    def from_bytes(cls, data: bytes) -> Log:
        passes, refused, idle = np.frombuffer(data, "<u2", 3).tolist()
        when, tokens = np.frombuffer(data, np.uint8, offset=6).reshape(2, -1)
        return cls(passes, refused, idle, when, tokens)


def log_bytes(span: int) -> int:
    """The length of an event log."""
    return 6 + 2 * span
