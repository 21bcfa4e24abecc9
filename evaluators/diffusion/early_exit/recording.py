"""Recordings of the shipped denoisers."""

from __future__ import annotations

import numpy as np

from evaluators.diffusion.decoding import margins
from evaluators.diffusion.denoiser.model import shipped
from evaluators.diffusion.early_exit.trajectory import Array, Trajectory
from evaluators.diffusion.full import passes
from evaluators.diffusion.tokens import END


def trajectories(model: str, prompts: Array) -> list[Trajectory]:
    """Full decoding of prompts (batch, prompt), one recording each."""
    steps = list(passes(shipped(model), prompts))
    fixed = np.stack([s.masked for s in steps]).sum(axis=0)
    table = margins(model).astype(np.float16)
    found = []
    for row, prompt in enumerate(prompts):
        own = [s.readings[row] for s in steps]
        readings = np.stack(
            [
                np.stack([r.probability for r in own]),
                np.stack([r.margin for r in own]),
                np.stack([r.entropy for r in own]),
                np.stack([r.drift for r in own]),
            ]
        )
        best = np.stack([r.best for r in own]).astype(np.uint8)
        nothing = np.empty(0, np.float32)
        found.append(Trajectory(readings, best, fixed[row], table, END, prompt.astype(np.uint8), nothing))
    return found
