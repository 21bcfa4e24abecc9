"""A text under way: masked positions, forward passes, and what is unmasked. Knows no answers."""

from __future__ import annotations

import hashlib
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.diffusion.denoiser.model import UNREADABLE, WeightsError, digest_of, shipped
from evaluators.diffusion.denoiser.shapes import SHAPES
from evaluators.diffusion.reading import Looking, Reading, View, read
from evaluators.diffusion.tokens import END, MASK

MARGINS = Path(__file__).parent / "data" / "margins.npz"

Mask = npt.NDArray[np.bool_]


@cache
def margins(model: str) -> npt.NDArray[np.float64]:
    """The quantiles of a denoiser's margins at equal steps from 0 to 1, non-decreasing. They were taken at masked
    positions in full decoding of training texts. Raises WeightsError for damaged data."""
    try:
        with np.load(MARGINS, allow_pickle=False) as file:
            found = np.asarray(file[model], dtype=np.float64)
    except UNREADABLE as error:
        raise WeightsError(
            f"the file {MARGINS.name} cannot be read ({error}): reinstall the package"
        ) from None
    if found.ndim != 1 or len(found) < 2 or not np.isfinite(found).all() or (np.diff(found) < 0).any():
        raise WeightsError(f"the file {MARGINS.name} holds no quantiles: reinstall the package")
    return found


@cache
def identity(model: str) -> bytes:
    """Eight bytes that change with the weights of a denoiser and with the quantiles of its margins. Part of every live
    payload, so that scores of other weights are never taken for these."""
    return hashlib.sha256(digest_of(model) + margins(model).tobytes()).digest()[:8]


@lru_cache(maxsize=4000)
def seen(model: str, tokens: bytes) -> npt.NDArray[np.float64]:
    """The logits of the span (read-only) for the tokens of prompt and span, uint8. Candidates that come to the same
    state of a text share the forward pass; 15 to 21 kB each."""
    logits: npt.NDArray[np.float64] = shipped(model).logits(np.frombuffer(tokens, np.uint8)[None])[0]
    logits.flags.writeable = False
    return logits


class Decoding:
    """One text by a shipped denoiser. Call :meth:`look`, then unmask what is wanted, until :attr:`done`."""

    def __init__(self, model: str, prompt: npt.NDArray[np.integer[Any]]) -> None:
        self._model = model
        self._at = len(prompt)
        span = SHAPES[model].scale.span
        self._tokens = np.concatenate([prompt, np.full(span, MASK)]).astype(np.uint8)
        self._looking = Looking(span, span, margins(model), END)
        self._log: npt.NDArray[Any] | None = None
        self.total = span
        """Forward passes of full decoding: one for each position."""
        self.masked: Mask = np.ones(span, bool)
        self.when = np.zeros(span, np.uint8)
        self.passes = 0
        self.reading: Reading

    @property
    def done(self) -> bool:
        return not self.masked.any()

    @property
    def tokens(self) -> npt.NDArray[np.uint8]:
        """The tokens of the span."""
        return self._tokens[self._at :]

    def look(self) -> View:
        """One forward pass, and what a policy sees of it."""
        self.reading, self._log = read(seen(self._model, self._tokens.tobytes()), self._log)
        self.passes += 1
        return self._looking.look(self.reading, self.masked)

    def unmask(self, chosen: Mask) -> None:
        """Fix the chosen positions, all of them masked, at their most probable tokens."""
        self.tokens[chosen] = self.reading.best[chosen]
        self.when[chosen] = self.passes
        self.masked &= ~chosen

    def most_probable(self) -> Mask:
        """The masked position with the highest probability, of equal ones the first."""
        chosen = np.zeros(len(self.masked), bool)
        chosen[int(np.where(self.masked, self.reading.probability, -1.0).argmax())] = True
        return chosen


def load() -> None:
    """Read what belongs to the denoisers. Raises WeightsError where it cannot be used."""
    for name in SHAPES:
        shipped(name)
        margins(name)
