"""The denoiser's forward pass with numpy.

It is the arithmetic of :class:`evaluators.diffusion.denoiser.training.Denoiser` on the shipped weights (float16),
in float64: libraries of linear algebra add in different orders, and at that precision the difference between two
machines does not reach a decision. Knows no texts and no answers, so that it may stand beside a policy in the
sandbox.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.diffusion.denoiser.shapes import EPSILON, SHAPES, SHARPNESS, Shape

Floats = npt.NDArray[np.float64]
FOLDER = Path(__file__).parent / "weights"


UNREADABLE = (OSError, ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)
"""What reading a damaged npz file raises."""


class WeightsError(Exception):
    """Weights that cannot be used: one clear sentence."""


@dataclass(frozen=True)
class Model:
    """A denoiser: its shape, and its matrices as (inputs, outputs), float64."""

    shape: Shape
    weights: dict[str, Floats]

    @cached_property
    def _turns(self) -> tuple[Floats, Floats]:
        angles = self.shape.angles()
        return np.cos(angles), np.sin(angles)

    def _turned(self, x: Floats) -> Floats:
        """Queries or keys (batch, heads, length, width of a head), turned by their places."""
        (cos, sin), half = self._turns, x.shape[-1] // 2
        a, b = x[..., :half], x[..., half:]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)

    def logits(self, tokens: npt.NDArray[np.integer[Any]]) -> Floats:
        """Tokens (batch, length) to the logits of the span's positions, float64 (batch, span, vocabulary)."""
        w, heads = self.weights, self.shape.heads
        batch, length = tokens.shape
        x = w["tokens"][tokens] + w["places"]
        for k in range(self.shape.layers):
            h = _norm(x) @ w[f"{k}.qkv"]
            query, key, value = h.reshape(batch, length, 3, heads, -1).transpose(2, 0, 3, 1, 4)
            query, key = self._turned(_norm(query)), self._turned(_norm(key))
            scores = (query * (SHARPNESS * query.shape[-1] ** -0.5)) @ key.swapaxes(-1, -2)
            scores -= scores.max(axis=-1, keepdims=True)
            np.exp(scores, out=scores)
            scores /= scores.sum(axis=-1, keepdims=True)
            mixed = (scores @ value).transpose(0, 2, 1, 3).reshape(batch, length, -1)
            x = x + mixed @ w[f"{k}.out"]
            h = _norm(x) @ w[f"{k}.up"]
            np.maximum(h, 0.0, out=h)
            x = x + np.square(h, out=h) @ w[f"{k}.down"]
        return np.asarray(_norm(x[:, self.shape.scale.prompt :]) @ w["head"])


def _norm(x: Floats) -> Floats:
    return np.asarray(x / np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + EPSILON))


def digest_of(name: str) -> bytes:
    """The SHA-256 that is recorded for a denoiser's weights. Raises WeightsError where it cannot be read."""
    path = FOLDER / "manifest.json"
    try:
        return bytes.fromhex(json.loads(path.read_text(encoding="utf-8"))[name])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(
            f"the list {path.name} of the weights cannot be read ({error}): reinstall"
        ) from None


@cache
def shipped(name: str) -> Model:
    """The denoiser of this name as it ships. Raises WeightsError where its weights are not those that belong to this
    version, or cannot be used."""
    path = FOLDER / f"{name}.npz"
    recorded = digest_of(name)
    try:
        found = hashlib.sha256(path.read_bytes()).digest()
    except OSError as error:
        raise WeightsError(
            f"the weights {path.name} cannot be read ({error}): reinstall the package"
        ) from None
    if found != recorded:
        raise WeightsError(
            f"the weights {path.name} are damaged or of another version: their SHA-256 is not the recorded one; "
            "reinstall the package"
        )
    return load(SHAPES[name], path)


def load(shape: Shape, path: Path) -> Model:
    """A denoiser from its file of weights. Raises WeightsError for a file that is missing, damaged or of another
    shape or version."""
    wanted = shape.arrays()
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in file.files}
    except UNREADABLE as error:
        raise WeightsError(
            f"the weights {path.name} cannot be read ({error}): a damaged file; reinstall the package, or train "
            "them again"
        ) from None
    if {n: a.shape for n, a in found.items()} != wanted:
        odd = sorted(n for n in {*found, *wanted} if n not in found or found[n].shape != wanted.get(n))
        raise WeightsError(
            f"the weights {path.name} are not those of the denoiser {shape.name!r} of this version (they differ in "
            f"{', '.join(odd[:3])}): use the weights that came with it, or train them again"
        )
    if not all(np.isfinite(a).all() for a in found.values()):
        raise WeightsError(f"the weights {path.name} hold numbers that are not finite: train them again")
    tables = ("tokens", "places")
    return Model(
        shape,
        {n: np.ascontiguousarray(a if n in tables else a.T, dtype=np.float64) for n, a in found.items()},
    )
