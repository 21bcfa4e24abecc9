"""Pictures of a full decoding that was stopped."""

from __future__ import annotations

import numpy as np

from evaluators.diffusion import pictures as drawing
from evaluators.diffusion.early_exit.referee import told, trajectory_of
from evaluators.diffusion.tokens import decode
from evaluators.pictures import Picture
from evaluators.task import Instance


def pictures(instance: Instance, answer: bytes) -> tuple[Picture, ...]:
    """What stopping filled in, and how sure the model was over the passes."""
    passes, tokens = told(answer)
    recorded = trajectory_of(instance)
    if len(recorded.prompt):
        words = [decode(tokens[at : at + 1]) or "end" for at in range(len(tokens))]
    else:
        words = ["end" if t == recorded.end else str(t) for t in tokens.tolist()]
    means = recorded.readings[1].astype(np.float64).mean(axis=1)
    return (
        drawing.filled(instance.id, recorded.fixed.astype(int), passes, words),
        drawing.confidence(instance.id, means, passes),
    )
