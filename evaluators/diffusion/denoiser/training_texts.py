"""What a denoiser is trained on, step by step."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.diffusion.denoiser.shapes import Shape
from evaluators.diffusion.families import FAMILIES, prompt_of, sample
from evaluators.diffusion.tokens import encode


def texts(shape: Shape, step: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Tokens int64 (batch, length) of a step and the mask bool (batch, length), drawn from the seed and the step."""
    draw = np.random.default_rng([shape.seed, step])
    families = list(FAMILIES.values())
    shares = np.array([f.shares[shape.stretch(step)] for f in families])
    scale = shape.scale
    tokens = np.empty((shape.batch, shape.length), dtype=np.int64)
    for row, which in enumerate(draw.choice(len(families), shape.batch, p=shares / shares.sum())):
        prompt, answer = sample(families[which], draw, scale, training=True)
        tokens[row, : scale.prompt] = encode(prompt_of(families[which], prompt), scale.prompt)
        tokens[row, scale.prompt :] = encode(answer, scale.span)
    mask = np.zeros(tokens.shape, dtype=bool)
    counts = 1 + (np.arange(shape.batch) + draw.random()) / shape.batch * scale.span
    for row, count in enumerate(counts.astype(int)):
        mask[row, scale.prompt + draw.permutation(scale.span)[:count]] = True
    return tokens, mask
