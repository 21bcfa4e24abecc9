"""Seeded training problems. Their draws come from raw bits (:class:`evaluators.plain.Draw`) by operations that are
rounded alike everywhere; a bell is the sum of twelve uniform draws, heavy tails are roots of inverse ones.

| family | what it is |
|---|---|
| ``logistic`` | three overlapping classes |
| ``ill-conditioned`` | two classes, features whose scales fall from 1 to 1/30 |
| ``label-noise`` | four classes, a third of the labels drawn anew |
| ``separable`` | three classes far apart, which a larger penalty alone keeps from a loss of 0 |
| ``heavy-tailed`` | two classes, examples scaled by a Pareto law of index 2 cut off at 16: some gradients are large |
| ``hinge`` | a support vector machine without a penalty, one label in seven flipped |
| ``absolute`` | least absolute deviations, heavy-tailed noise |

All convex; the last feature is constant.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from evaluators.plain import Draw
from evaluators.schedules.portable import Floats, total
from evaluators.schedules.problem import Problem, single

PENALTY, FIRMER = 1e-3, 1e-2
MOST_TAIL = 16.0


@dataclass(frozen=True)
class Spec:
    """Names one generated problem: its family, how many steps of which batch, and a seed."""

    family: str
    steps: int
    batch: int
    seed: int

    @property
    def id(self) -> str:
        return f"{self.family}-t{self.steps}-b{self.batch}-s{self.seed}"


def generate(spec: Spec) -> Problem:
    """The problem of a spec. Raises KeyError for a family that there is not."""
    make = FAMILIES[spec.family]
    return make(Draw(f"schedules/{spec.id}"), spec)


def bell(draw: Draw, *shape: int) -> Floats:
    """Nearly normal numbers of variance 1."""
    count = int(np.prod(shape))
    return total(draw.floats(-0.5, 0.5, 12 * count).reshape(12, count)).reshape(shape)


def tail(draw: Draw, count: int) -> Floats:
    """Pareto numbers of index 2: at least 1, at most :data:`MOST_TAIL`."""
    return np.minimum(1.0 / np.sqrt(1.0 - draw.floats(0.0, 1.0, count)), MOST_TAIL)


def with_constant(features: Floats) -> Floats:
    return np.concatenate([features, np.ones((1, features.shape[1]))])


def _classes(draw: Draw, n: int, d: int, k: int, apart: float) -> tuple[Floats, Floats]:
    """Features float64[d, n] around centres ``apart`` from the origin in each direction, and the classes."""
    centres = apart * bell(draw, d, k)
    labels = draw.integers(0, k - 1, n)
    return centres[:, labels] + bell(draw, d, n), labels.astype(np.float64)


def _posed(spec: Spec, features: Floats, labels: Floats, classes: int, l2: float = PENALTY) -> Problem:
    return Problem(
        "logistic", single(with_constant(features)), labels, classes, l2,
        batch=spec.batch, steps=spec.steps, seed=spec.seed,
    )  # fmt: skip


def _logistic(draw: Draw, spec: Spec) -> Problem:
    return _posed(spec, *_classes(draw, 240, 10, 3, 0.4), 3)


def _ill_conditioned(draw: Draw, spec: Spec) -> Problem:
    d = 12
    features, labels = _classes(draw, 240, d, 2, 0.4)
    scales = 1.0 / (1.0 + 29.0 * np.arange(d) / (d - 1.0))
    return _posed(spec, features * scales[:, None], labels, 2)


def _label_noise(draw: Draw, spec: Spec) -> Problem:
    n, k = 240, 4
    features, labels = _classes(draw, n, 8, k, 0.7)
    anew = draw.integers(0, k - 1, n).astype(np.float64)
    return _posed(spec, features, np.where(draw.integers(1, 3, n) == 1, anew, labels), k)


def _separable(draw: Draw, spec: Spec) -> Problem:
    return _posed(spec, *_classes(draw, 240, 10, 3, 1.5), 3, FIRMER)


def _heavy_tailed(draw: Draw, spec: Spec) -> Problem:
    n = 240
    features, labels = _classes(draw, n, 10, 2, 0.3)
    return _posed(spec, features * (0.5 * tail(draw, n)), labels, 2)


def _hinge(draw: Draw, spec: Spec) -> Problem:
    n, d = 200, 8
    features = with_constant(bell(draw, d, n))
    scores = total(features * bell(draw, d + 1)[:, None])
    flipped = draw.integers(1, 7, n) == 1
    labels = np.where((scores < 0) ^ flipped, -1.0, 1.0)
    return Problem("hinge", single(features), labels, batch=spec.batch, steps=spec.steps, seed=spec.seed)


def _absolute(draw: Draw, spec: Spec) -> Problem:
    n, d = 200, 8
    features = with_constant(bell(draw, d, n))
    truth = total(features * bell(draw, d + 1)[:, None])
    noise = np.where(draw.integers(0, 1, n) == 0, -0.5, 0.5) * (tail(draw, n) - 1.0)
    return Problem(
        "absolute",
        single(features),
        single(truth + noise),
        batch=spec.batch,
        steps=spec.steps,
        seed=spec.seed,
    )


FAMILIES: dict[str, Callable[[Draw, Spec], Problem]] = {
    "logistic": _logistic,
    "hinge": _hinge,
    "ill-conditioned": _ill_conditioned,
    "absolute": _absolute,
    "label-noise": _label_noise,
    "separable": _separable,
    "heavy-tailed": _heavy_tailed,
}
