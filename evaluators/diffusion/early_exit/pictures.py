"""Pictures of a full decoding that was stopped."""

from __future__ import annotations

import numpy as np

from evaluators.diffusion import pictures as drawing
from evaluators.diffusion.early_exit.live import decoding_of
from evaluators.diffusion.early_exit.referee import told
from evaluators.diffusion.tokens import decode
from evaluators.pictures import Picture
from evaluators.task import Instance


def pictures(instance: Instance, answer: bytes) -> tuple[Picture, ...]:
    """What stopping filled in, and how sure the model was over the passes."""
    passes, tokens = told(answer)
    text = decoding_of(instance.payload)
    if len(text.prompt):
        words = [decode(tokens[at : at + 1]) or "end" for at in range(len(tokens))]
    else:
        words = ["end" if t == text.end else str(t) for t in tokens.tolist()]
    numbers = range(1, text.passes + 1)
    fixed = np.sum([text.masked(n) for n in numbers], axis=0)
    means = np.array([text.reading(n).margin.astype(np.float64).mean() for n in numbers])
    return (
        drawing.filled(instance.id, fixed, passes, words),
        drawing.confidence(instance.id, means, passes),
    )
