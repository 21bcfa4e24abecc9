"""A beam search over plans by the model's predictions: stage by stage, chain by chain, nothing measured.

It starts twice, from the program as written and from all statements apart: that is seldom a gain by itself, so that a
beam would drop it, and often the way to one.

Source: the search of LOOPer (Merouani et al. 2024) and of Adams et al., "Learning to optimize Halide with tree search
and random programs" (2019): a beam of schedules whose cost a learned model predicts.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from evaluators.polyhedral.compiler import Compiler
from evaluators.polyhedral.learned.features import Featurer
from evaluators.polyhedral.learned.moves import STAGES, Plan, fully_apart, legal
from evaluators.polyhedral.learned.training import FEATURES
from evaluators.polyhedral.learned.trees import Trees, load
from evaluators.polyhedral.program import Sizes

SHIPPED = Path(__file__).parent / "model.npz"
WIDTH = 3
CAUTION = 0.1
"""Predicted gain, as a logarithm to base 2, below which a program is left as it is."""


@dataclass(frozen=True)
class Found:
    """A plan and its predicted speed-up."""

    plan: Plan
    ratio: float


def search(compiler: Compiler, sizes: Sizes, model: Trees, *, width: int = WIDTH) -> Found:
    """The legal plan of the best prediction that the beam finds, or the empty one. The same for the same model,
    program, sizes and machine."""
    featurer = Featurer(compiler, sizes)
    known: dict[Plan, float] = {(): 0.0}
    for start in dict.fromkeys([(), fully_apart(compiler, ())]):
        beam: list[Plan] = [start]
        for stage in STAGES:
            for statement in compiler.program.statements:
                proposed = (p for plan in beam for p in stage(compiler, plan, statement.name))
                longer = [p for p in dict.fromkeys([*beam, *proposed]) if legal(compiler, p)]
                fresh = [p for p in longer if p not in known]
                if fresh:
                    values = model.predict(np.array([featurer.vector(p) for p in fresh]))
                    known |= {p: float(v) for p, v in zip(fresh, values, strict=True)}
                beam = sorted(longer, key=lambda p: -known[p])[:width]
    best = max(known, key=known.__getitem__)
    return Found(best, 2.0 ** known[best]) if known[best] > CAUTION else Found((), 1.0)


@lru_cache(maxsize=4)
def model_of(path: str) -> Trees:
    """The model of a file, the shipped one where there is no name. Raises TaskError."""
    return load(Path(path) if path else SHIPPED, FEATURES)
