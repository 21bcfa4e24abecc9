"""A text under way: masked positions, forward passes, and what is unmasked. Knows no answers."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.diffusion.denoiser.model import Model, WeightsError, shipped
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
            return np.asarray(file[model], dtype=np.float64)
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise WeightsError(
            f"the file {MARGINS.name} cannot be read ({error}): reinstall the package"
        ) from None


class Decoding:
    """One text. Call :meth:`look`, then unmask what is wanted, until :attr:`done`."""

    def __init__(self, model: Model, prompt: npt.NDArray[np.integer[Any]], margins: npt.NDArray[Any]) -> None:
        self._model = model
        self._at = len(prompt)
        span = model.shape.scale.span
        self._tokens = np.concatenate([prompt, np.full(span, MASK)]).astype(np.int64)
        self._looking = Looking(span, span, margins, END)
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
    def tokens(self) -> npt.NDArray[np.int64]:
        """The tokens of the span."""
        return self._tokens[self._at :]

    def look(self) -> View:
        """One forward pass, and what a policy sees of it."""
        logits = self._model.logits(self._tokens[None])[0]
        self.reading, self._log = read(logits, self._log)
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


def begin(model: str, prompt: npt.NDArray[np.integer[Any]]) -> Decoding:
    """The decoding of a prompt by a shipped denoiser, at its beginning."""
    return Decoding(shipped(model), prompt, margins(model))


def load() -> None:
    """Read what belongs to the denoisers. Raises WeightsError where it cannot be used."""
    for name in SHAPES:
        begin(name, np.zeros(SHAPES[name].scale.prompt, np.int64))
