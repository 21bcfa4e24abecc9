"""Whether a decoded text is a right answer to its prompt."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.diffusion.denoiser.shapes import SHAPES
from evaluators.diffusion.families import FAMILIES, Family
from evaluators.diffusion.tokens import decode
from evaluators.task import ImpossibleAnswer, Instance, Judgement

_BY_TAG = {family.tag: family for family in FAMILIES.values()}


def family_of(prompt: str) -> Family:
    """The family of a prompt that begins with a tag. Raises KeyError where no family has that tag."""
    return _BY_TAG[prompt[:1]]


def right(model: str, prompt: npt.NDArray[np.integer[Any]], answer: npt.NDArray[np.integer[Any]]) -> float:
    """1.0 where the tokens of the answer are one of the right texts for the prompt's tokens, else 0.0."""
    asked = decode(prompt)
    return float(family_of(asked).valid(asked[1:], decode(answer), SHAPES[model].scale))


def beyond(instance: Instance, judgement: Judgement) -> Judgement:
    """``judgement``. Raises ImpossibleAnswer where the quality is above what is proved to be the best."""
    if instance.reference_kind == "proved optimum" and judgement.value > (instance.reference or 0.0):
        raise ImpossibleAnswer(
            f"a quality of {judgement.value:g}, where {instance.reference} is proved to be the best"
        )
    return judgement
