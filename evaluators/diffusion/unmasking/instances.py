"""Texts as instances of ``diffusion``."""

from __future__ import annotations

from evaluators.diffusion.decoding import identity
from evaluators.diffusion.denoiser.shapes import SHAPES
from evaluators.diffusion.problem import DECISION_SECONDS, log_bytes, payload
from evaluators.diffusion.texts import Text, group_of
from evaluators.diffusion.texts import part as texts_of
from evaluators.diffusion.tokens import encode
from evaluators.task import Instance


def instance(text: Text) -> Instance:
    """A text, whose reference is the quality that full decoding gives it."""
    scale = SHAPES[text.model].scale
    return Instance(
        id=text.id,
        group=group_of(text.model, text.family),
        size=scale.span,
        payload=payload(text.model, identity(text.model), encode(text.prompt, scale.prompt)),
        answer_bytes=log_bytes(scale.span),
        limit=2 * scale.span * DECISION_SECONDS,
        reference=text.full,
        reference_kind="baseline",
    )


def part(name: str) -> tuple[Instance, ...]:
    """The instances of a part of the splits."""
    return tuple(map(instance, texts_of(name)))
