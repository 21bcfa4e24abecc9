"""Full decoding, many texts at once: one position a forward pass, always the most probable one."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.diffusion.denoiser.model import Model, shipped
from evaluators.diffusion.reading import Reading, read
from evaluators.diffusion.tokens import MASK

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Pass:
    """One forward pass of a batch: the reading of each text, and the mask (batch, span) before it."""

    readings: list[Reading]
    masked: Array


def passes(model: Model, prompts: Array) -> Iterator[Pass]:
    """The forward passes of full decoding for prompts (batch, prompt); the last one ends it."""
    batch, span = len(prompts), model.shape.scale.span
    tokens = np.concatenate([prompts, np.full((batch, span), MASK)], axis=1).astype(np.int64)
    answer = tokens[:, prompts.shape[1] :]
    logs: list[Array | None] = [None] * batch
    rows = np.arange(batch)
    for _ in range(span):
        masked = answer == MASK
        found = [read(own, log) for own, log in zip(model.logits(tokens), logs, strict=True)]
        readings, logs = [r for r, _ in found], [log for _, log in found]
        yield Pass(readings, masked)
        probability = np.stack([r.probability for r in readings])
        chosen = np.where(masked, probability, -1.0).argmax(axis=1)
        answer[rows, chosen] = np.stack([r.best for r in readings])[rows, chosen]


def decoded(model: str, prompts: Array) -> Array:
    """The tokens (batch, span) that full decoding gives."""
    answer: Array | None = None
    for step in passes(shipped(model), prompts):
        best = np.stack([r.best for r in step.readings])
        answer = best if answer is None else np.where(step.masked, best, answer)
    assert answer is not None
    return answer
