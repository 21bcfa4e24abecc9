"""A recorded decoding: what each forward pass of full decoding said, in which pass each position was fixed, and
what the text would have been worth after each pass.

The output of full decoding up to a pass does not depend on when it is stopped, so that replaying a recording is exact.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.diffusion.reading import Reading

Array = npt.NDArray[Any]

LIVE, RECORDED = 0, 1
"""The first byte of a payload: a prompt for a shipped denoiser (then that of ``diffusion``), or a recording."""

_HEAD = struct.Struct("<BHHHHBi")


@dataclass(frozen=True)
class Trajectory:
    """``readings``: float16 (4, passes, span): probability, margin, entropy, drift. ``best``: the most probable
    tokens, uint8 or int32 (passes, span). ``fixed``: the pass, from 1, in which full decoding fixed each position.
    ``margins``: quantiles of the model's margins, float16. ``end``: its token for what follows the text.
    ``quality``: of the text that stopping after each pass gives, float32, of as many entries as there are passes;
    empty where the referee can tell it from the text."""

    readings: Array
    best: Array
    fixed: Array
    margins: Array
    end: int
    prompt: Array
    quality: Array

    @property
    def passes(self) -> int:
        """Forward passes of full decoding."""
        return int(self.best.shape[0])

    @property
    def span(self) -> int:
        return int(self.best.shape[1])

    def reading(self, number: int) -> Reading:
        """The reading of pass ``number``, from 1."""
        probability, margin, entropy, drift = self.readings[:, number - 1]
        return Reading(probability, margin, entropy, drift, self.best[number - 1].astype(np.int64))

    def masked(self, number: int) -> Array:
        """What is masked in pass ``number``."""
        return np.asarray(self.fixed >= number)

    def text(self, number: int) -> Array:
        """The tokens that stopping after pass ``number`` gives, int64 (span,)."""
        last = np.minimum(self.fixed.astype(np.intp), number)
        return np.asarray(self.best[last - 1, np.arange(self.span)], dtype=np.int64)

    def to_bytes(self) -> bytes:
        """The payload, little-endian."""
        head = _HEAD.pack(
            RECORDED,
            self.passes,
            self.span,
            len(self.prompt),
            len(self.margins),
            self.best.itemsize,
            self.end,
        )
        parts = (
            self.margins.astype("<f2"),
            self.prompt.astype(np.uint8),
            self.fixed.astype("<u2"),
            self.readings.astype("<f2"),
            self.best.astype("<i4" if self.best.itemsize > 1 else np.uint8),
            self.quality.astype("<f4"),
        )
        return head + b"".join(p.tobytes() for p in parts)

    @classmethod
    def from_bytes(cls, data: bytes) -> Trajectory:
        """The recording of a payload."""
        _, passes, span, prompt, margins, width, end = _HEAD.unpack_from(data)
        at = _HEAD.size

        def take(dtype: str, *shape: int) -> Array:
            nonlocal at
            count = int(np.prod(shape))
            found = np.frombuffer(data, dtype, count, at).reshape(shape)
            at += found.nbytes
            return found

        table, tokens, fixed = take("<f2", margins), take("u1", prompt), take("<u2", span)
        readings = take("<f2", 4, passes, span)
        best = take("<i4" if width > 1 else "u1", passes, span)
        return cls(readings, best, fixed, table, end, tokens, take("<f4", (len(data) - at) // 4))
