"""Full decoding of a prompt, and what each forward pass says of every position.

The order is that of LLaDA's reference sampler at temperature 0 (Nie et al. 2025, arXiv:2502.09992, "low-confidence
remasking"): the span is filled block by block from left to right, and each pass fixes the same number of positions of
its block (the first passes one more where that does not come out even), those whose most probable tokens have the
highest probabilities. Two things are ours: the mask is no token that could be meant, and of equal probabilities the one
further left is taken.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from evaluators.diffusion.early_exit.recordings import MOST_PASSES, MOST_POSITIONS
from evaluators.diffusion.reading import MARGIN_PARTS, PARTS
from evaluators.recordable import Recipe
from evaluators.task import Missing, TaskError

Array = npt.NDArray[Any]

ROWS = 32
"""Positions whose distributions are reduced at once: with 126,000 tokens in double precision that is 32 MB."""
LEAST_LOG = -1e4
"""Log-probability of what cannot be, so that 0 · log 0 is 0."""
HIGHEST = float(np.finfo(np.float16).max)
ROUNDING = (PARTS, MARGIN_PARTS, PARTS, PARTS)


@dataclass(frozen=True)
class Schedule:
    """``length`` positions in ``steps`` passes, in blocks of ``block``."""

    length: int
    steps: int
    block: int

    @classmethod
    def of(cls, recipe: Recipe) -> Schedule:
        """The schedule that a recipe asks for. Raises TaskError where it does not come out even."""
        length = recipe.length
        steps = length if recipe.steps is None else recipe.steps
        block = length if recipe.block is None else recipe.block
        if not 1 <= length <= MOST_POSITIONS:
            raise TaskError(f"--gen-length is {length}; expected 1 to {MOST_POSITIONS}")
        if not 1 <= block <= length or length % block:
            raise TaskError(
                f"--block-length is {block}; expected a divisor of --gen-length, which is {length}"
            )
        blocks = length // block
        if not blocks <= steps <= min(length, MOST_PASSES) or steps % blocks:
            raise TaskError(
                f"--steps is {steps}; expected a multiple of the {blocks} blocks, and at most --gen-length, {length}"
            )
        return cls(length, steps, block)

    def shares(self) -> list[tuple[int, int]]:
        """For each pass the number of its block, and how many positions it fixes there."""
        blocks = self.length // self.block
        each = self.steps // blocks
        least, more = divmod(self.block, each)
        return [(b, least + (k < more)) for b in range(blocks) for k in range(each)]


class Model(Protocol):
    """What decoding asks of a checkpoint."""

    @property
    def mask(self) -> int:
        """The token of what is masked."""
        ...

    def logits(self, tokens: Array, span: int) -> Any:
        """One forward pass: a tensor (span, vocabulary) for the last ``span`` of the tokens int64 (length,)."""
        ...


@dataclass(frozen=True)
class Seen:
    """A forward pass, an entry a position: ``exact`` is the probability in double precision, the others are as in
    :class:`evaluators.diffusion.reading.Reading`; ``readings`` float16 (4, span) in its order."""

    exact: Array
    readings: Array
    best: Array


class Reader:
    """Reduces the logits of one decoding, pass after pass, on their device. What stays from pass to pass is the
    distribution, for the drift."""

    def __init__(self, mask: int) -> None:
        self._mask = mask
        self._before: Any = None

    def look(self, logits: Any) -> Seen:
        """The reading of logits (span, vocabulary). Raises TaskError where they are no numbers or too many."""
        if not 0 <= self._mask < logits.shape[-1]:
            raise TaskError(
                f"the mask token is {self._mask}, but the model knows the tokens 0 to {logits.shape[-1] - 1}; "
                "name the right one with --mask-id"
            )
        try:
            exact, margin, entropy, drift, best = self._reduced(logits)
        except Exception as error:  # mostly the device's memory
            raise refusal(error, f"logits of shape {tuple(logits.shape)} cannot be reduced") from error
        readings = np.stack([exact, margin, entropy, drift])
        if np.isnan(readings).any():
            raise TaskError("the model gives logits that are no numbers (NaN); try --dtype float32")
        rounding = np.array(ROUNDING)[:, None]
        rounded = np.rint(readings * rounding) / rounding
        return Seen(exact, np.clip(rounded, 0.0, HIGHEST).astype(np.float16), best.astype(np.int32))

    def _reduced(self, logits: Any) -> tuple[Array, ...]:
        torch = import_torch()
        first = self._before is None
        if first:
            self._before = torch.zeros(logits.shape, dtype=torch.float64, device=logits.device)
        parts = [
            self._part(torch, part, before, first)
            for part, before in zip(logits.split(ROWS), self._before.split(ROWS), strict=True)
        ]
        return tuple(torch.cat(p).cpu().numpy() for p in zip(*parts, strict=True))

    def _part(self, torch: Any, logits: Any, before: Any, first: bool) -> tuple[Any, ...]:
        """The rows of a part; leaves the log-probabilities in ``before``."""
        logits = logits.to(torch.float64, copy=True)
        logits[:, self._mask] = -torch.inf
        top = logits.topk(2, dim=-1).values
        log = torch.log_softmax(logits, dim=-1).clamp_(min=LEAST_LOG)
        share = log.exp()
        exact, best = share.max(dim=-1)
        entropy = -(share * log).sum(dim=-1)
        drift = torch.zeros_like(exact) if first else (share * (log - before)).sum(dim=-1)
        before.copy_(log)
        return exact, top[:, 0] - top[:, 1], entropy, drift, best


@dataclass(frozen=True)
class Decoded:
    """Readings float16 (4, passes, span), best int32 (passes, span), fixed int32 (span,)."""

    readings: Array
    best: Array
    fixed: Array


def decode(model: Model, prompt: Array, schedule: Schedule, over: Callable[[], bool]) -> Decoded | None:
    """Full decoding of a prompt, int64 (length,); None where it is ``over()`` before its end. Raises TaskError where
    the model gives no numbers."""
    span, at = schedule.length, len(prompt)
    tokens = np.concatenate([prompt, np.full(span, model.mask)]).astype(np.int64)
    readings = np.empty((4, schedule.steps, span), np.float16)
    best = np.empty((schedule.steps, span), np.int32)
    fixed = np.zeros(span, np.int32)
    reader = Reader(model.mask)
    for number, (block, share) in enumerate(schedule.shares()):
        if over():
            return None
        seen = reader.look(model.logits(tokens, span))
        readings[:, number], best[number] = seen.readings, seen.best
        rows = np.arange(block * schedule.block, (block + 1) * schedule.block)
        rows = rows[fixed[rows] == 0]
        chosen = rows[np.argsort(-seen.exact[rows], kind="stable")[:share]]
        fixed[chosen] = number + 1
        tokens[at + chosen] = seen.best[chosen]
    return Decoded(readings, best, fixed)


def import_torch() -> Any:
    """PyTorch. Raises Missing."""
    try:
        import torch
    except ImportError as error:
        raise Missing(f"recording needs PyTorch ({error}); install the extra `hf`") from None
    return torch


def refusal(error: Exception, what: str) -> TaskError:
    """``what`` failed, and why, for an error of a package, a device or a checkpoint's own code; Missing where a
    package or memory is."""
    lacking = isinstance(error, ImportError | MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return (Missing if lacking else TaskError)(f"{what} ({_told(error)})")


def _told(error: Exception) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text if len(text) <= 300 else text[:299] + '…'}"
