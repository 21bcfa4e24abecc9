"""A training problem as data: what is minimised, from which examples, for how many steps.

The objective is the mean loss over the examples, plus l2/2 times the squared weights. Scores of an example are linear
in its features, or come from a net with one hidden layer of rectified units. Losses:

- ``logistic``: the cross entropy of the softmax of K scores (multinomial logistic regression);
- ``hinge``: max(0, 1 - y s) with y = ±1, a support vector machine without its penalty: convex, not smooth;
- ``absolute``: |s - y|, least absolute deviations: convex, not smooth.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from evaluators.bits import draws, stream
from evaluators.schedules.portable import Floats, exp, log, total

Loss = Literal["logistic", "hinge", "absolute"]
Weights = tuple[Floats, ...]
"""Of each layer float64[inputs, outputs, replicas]."""

MAX_STEPS = 10_000
INITIAL = 0.5
"""Weights of a net begin uniform within ± this over the root of a layer's inputs."""


@dataclass(frozen=True)
class Problem:
    """``features`` float64[d, n], of which the caller makes one constant where a bias is wanted; ``targets``
    float64[n]: classes from 0 to ``classes`` - 1, ±1, or numbers. A step draws ``batch`` examples with replacement.
    ``hidden`` units, none where scores are linear. ``seed`` names the draws."""

    loss: Loss
    features: Floats
    targets: Floats
    classes: int = 1
    l2: float = 0.0
    hidden: int = 0
    batch: int = 8
    steps: int = 200
    seed: int = 0

    @property
    def convex(self) -> bool:
        return self.hidden == 0

    @property
    def shapes(self) -> tuple[tuple[int, int], ...]:
        """Inputs and outputs of each layer; a hidden layer adds a constant of its own."""
        inputs = len(self.features)
        if self.hidden:
            return (inputs, self.hidden), (self.hidden + 1, self.classes)
        return ((inputs, self.classes),)

    def start(self, replicas: int) -> Weights:
        """Where training begins: at 0, or for a net at weights drawn once."""
        found, used = [], 0
        for shape in self.shapes:
            size = shape[0] * shape[1]
            if self.hidden:
                unit = (draws(stream(3, self.seed), used, size) >> np.uint64(11)).astype(
                    np.float64
                ) * 2.0**-53
                bound = 2.0 * INITIAL / np.sqrt(np.float64(shape[0]))
                first = ((unit - 0.5) * bound).reshape(*shape, 1)
            else:
                first = np.zeros((*shape, 1))
            found.append(np.repeat(first, replicas, axis=2))
            used += size
        return tuple(found)

    def objective(self, weights: Weights) -> Floats:
        """The objective of each replica, float64[replicas]."""
        scores = self.forward(weights, np.ascontiguousarray(self.features[:, :, None]))[-1]
        found = total(self.losses(scores, self.targets[:, None])) / len(self.targets)
        return found + self.penalty(weights)

    def penalty(self, weights: Weights) -> Floats:
        """l2/2 times the squared weights, float64[replicas]."""
        found = np.zeros(weights[0].shape[2])
        for layer in weights:
            found = found + total((layer * layer).reshape(-1, layer.shape[2]))
        return 0.5 * self.l2 * found

    def forward(self, weights: Weights, features: Floats) -> tuple[Floats, ...]:
        """What goes into each layer after the first, and the scores float64[examples, K, replicas], for ``features``
        float64[d, examples, replicas or 1]."""
        out = _product(weights[0], features)
        if not self.hidden:
            return (out,)
        inner = np.maximum(out, 0.0).transpose(1, 0, 2)
        inner = np.concatenate([inner, np.ones((1, *inner.shape[1:]))])
        return inner, _product(weights[1], inner)

    def losses(self, scores: Floats, targets: Floats) -> Floats:
        """The loss of each example, float64[examples, replicas]; ``targets`` float64[examples, replicas or 1]."""
        if self.loss == "absolute":
            return np.asarray(np.abs(scores[:, 0] - targets), np.float64)
        if self.loss == "hinge":
            return np.maximum(1.0 - scores[:, 0] * targets, 0.0)
        top: Floats = scores.max(axis=1)
        mass = total(exp(scores - top[:, None]).transpose(1, 0, 2))
        own = total(np.where(self.chosen(targets), scores, 0.0).transpose(1, 0, 2))
        return log(mass) + top - own

    def slopes(self, scores: Floats, targets: Floats) -> Floats:
        """The derivative of each loss by its scores, float64[examples, K, replicas]; 0 at a kink."""
        if self.loss == "absolute":
            return np.sign(scores - targets[:, None])
        if self.loss == "hinge":
            return np.where(scores * targets[:, None] < 1.0, -targets[:, None], 0.0)
        mass = exp(scores - scores.max(axis=1)[:, None])
        mass /= total(mass.transpose(1, 0, 2))[:, None]
        mass -= self.chosen(targets)
        return mass

    def chosen(self, targets: Floats) -> npt.NDArray[np.bool_]:
        """Which class is an example's own, bool[examples, K, replicas or 1]."""
        return np.asarray(targets[:, None] == np.arange(self.classes)[:, None])

    def gradient(self, weights: Weights, features: Floats, targets: Floats) -> Weights:
        """The gradient of the objective on some examples; ``features`` float64[d, examples, replicas]."""
        *inner, scores = self.forward(weights, features)
        slopes = self.slopes(scores, targets) / len(targets)
        if not self.hidden:
            return (_outer(features, slopes) + self.l2 * weights[0],)
        back = total(
            (weights[1][:-1, None] * slopes[None]).transpose(2, 0, 1, 3)
        )  # [hidden, examples, replicas]
        back = np.where(inner[0][:-1] > 0.0, back, 0.0).transpose(1, 0, 2)
        return (
            _outer(features, back) + self.l2 * weights[0],
            _outer(inner[0], slopes) + self.l2 * weights[1],
        )


def _product(weights: Floats, inputs: Floats) -> Floats:
    """Scores float64[examples, outputs, replicas] of inputs float64[inputs, examples, replicas or 1]: input by input,
    so that few large arrays are made for many examples, and the order of the sum is that of the inputs."""
    if inputs.shape[1] <= 64:
        return total(inputs[:, :, None] * weights[:, None])
    found: Floats = inputs[0][:, None] * weights[0]
    for one, weight in zip(inputs[1:], weights[1:], strict=True):
        found += one[:, None] * weight
    return found


def _outer(inputs: Floats, slopes: Floats) -> Floats:
    """Sum over the examples of inputs times slopes, float64[inputs, outputs, replicas]."""
    return total(np.multiply(inputs.transpose(1, 0, 2)[:, :, None], slopes[:, None], order="C"))


@dataclass(frozen=True)
class Posed:
    """A problem with what is known of it: its ``optimum`` (0, a bound, for a net), and the base ``rate`` that suits
    linear decay, from which the search of others' begins."""

    problem: Problem
    optimum: float
    rate: float


HEADER = ("loss", "classes", "l2", "hidden", "batch", "steps", "seed")


def encode(posed: Posed) -> bytes:
    """u32 length of a JSON header, the header, features and targets as little-endian float32, which they are: who
    makes a problem rounds them (:func:`single`)."""
    problem = posed.problem
    header = {name: getattr(problem, name) for name in HEADER}
    d, n = problem.features.shape
    header.update(d=d, n=n, optimum=posed.optimum, rate=posed.rate)
    text = json.dumps(header).encode()
    arrays = b"".join(a.astype("<f4").tobytes() for a in (problem.features, problem.targets))
    return len(text).to_bytes(4, "little") + text + arrays


def decode(encoded: bytes) -> Posed:
    """The problem in what :func:`encode` gives."""
    at = 4 + int.from_bytes(encoded[:4], "little")
    header = json.loads(encoded[4:at])
    d, n = header["d"], header["n"]
    numbers = np.frombuffer(encoded, "<f4", offset=at).astype(np.float64)
    problem = Problem(
        features=numbers[: d * n].reshape(d, n),
        targets=numbers[d * n :],
        **{name: header[name] for name in HEADER},
    )
    return Posed(problem, header["optimum"], header["rate"])


def single(values: Floats) -> Floats:
    """Rounded to what a payload holds."""
    return values.astype(np.float32).astype(np.float64)
