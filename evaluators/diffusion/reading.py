"""What a forward pass says of each position, and what a policy sees of it.

Numbers are rounded, as recordings keep them: a replayed decoding shows exactly what a live one showed, and what differs
between two machines in the last bits of an arithmetic does not show.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.diffusion.tokens import MASK

Array = npt.NDArray[Any]
View = tuple[Any, ...]

PARTS, MARGIN_PARTS = 1024, 32
"""Readings are multiples of one over so many: margins coarser ones, since they have no bound."""


@dataclass(frozen=True)
class Reading:
    """One forward pass, an entry a position of the span. All but ``best`` are float16, ``margin`` a multiple of 1/32,
    the others, as far as they are below 2, of 1/1024.

    ``margin``: difference of the two highest logits. ``drift``: Kullback-Leibler divergence from the distribution
    of the pass before, nats; 0 in the first pass. ``best``: the most probable token, int64."""

    probability: Array
    margin: Array
    entropy: Array
    drift: Array
    best: Array


def read(logits: Array, before: Array | None) -> tuple[Reading, Array]:
    """The reading of logits (span, vocabulary), and the log-probabilities, which the next pass takes as ``before``. The
    mask is no token that could be meant."""
    logits = logits.astype(np.float64)
    logits[:, MASK] = -np.inf
    top = np.partition(logits, -2, axis=-1)[:, -2:]
    shifted = logits - top[:, 1:]
    log = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    share = np.exp(log)
    log[:, MASK] = 0.0  # its share is 0, and 0 · log 0 is 0
    entropy = -(share * log).sum(axis=-1)
    drift = np.zeros(len(log)) if before is None else (share * (log - before)).sum(axis=-1)
    return (
        Reading(
            probability=_rounded(share.max(axis=-1), PARTS),
            margin=_rounded(top[:, 1] - top[:, 0], MARGIN_PARTS),
            entropy=_rounded(entropy, PARTS),
            drift=_rounded(drift, PARTS),
            best=shifted.argmax(axis=-1),
        ),
        log,
    )


def _rounded(values: Array, parts: int) -> Array:
    """Multiples of one over ``parts``, not below 0, as float16."""
    return np.asarray(np.maximum(np.rint(values * parts) / parts, 0.0), dtype=np.float16)


class Looking:
    """Turns the readings of one decoding into views, pass after pass. ``margins`` are the quantiles of the model's
    margins at equal steps from 0 to 1, ``end`` its token for what follows the text, ``total`` the passes of full
    decoding."""

    def __init__(self, span: int, total: int, margins: Array, end: int) -> None:
        self._margins, self._end, self._total = margins, end, total
        self._grid = np.linspace(0.0, 1.0, len(margins))
        self._place = np.linspace(0.0, 1.0, span)
        self._run = np.zeros(span, np.int64)
        self._best = np.full(span, -1, np.int64)
        self._before = np.zeros(span)
        self._step = 0

    def look(self, reading: Reading, masked: Array) -> View:
        """The view of the next pass: the values of the interface's arguments, in order."""
        self._step += 1
        same = reading.best == self._best
        self._run = np.where(same, self._run, 0) + 1
        self._best = reading.best
        probability = reading.probability.astype(np.float64)
        margin = reading.margin.astype(np.float64)
        view = (
            masked.copy(),
            probability,
            margin,
            np.rint(np.interp(margin, self._margins, self._grid) * PARTS) / PARTS,
            reading.entropy.astype(np.float64),
            reading.drift.astype(np.float64),
            self._before,
            self._run,
            reading.best == self._end,
            self._place,
            self._step,
            self._total,
        )
        self._before = probability
        return view
