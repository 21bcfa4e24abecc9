"""Pictures of a live decoding."""

from __future__ import annotations

from evaluators.diffusion import pictures as drawing
from evaluators.diffusion.problem import Log
from evaluators.diffusion.tokens import decode
from evaluators.pictures import Tiles
from evaluators.task import Instance


def pictures(instance: Instance, answer: bytes) -> tuple[Tiles, ...]:
    """The order in which the positions were unmasked."""
    log = Log.from_bytes(answer)
    words = [decode(log.tokens[at : at + 1]) or "end" for at in range(len(log.tokens))]
    return (drawing.unmasked(instance.id, log.when.astype(int), words, len(log.when)),)
