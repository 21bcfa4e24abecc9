"""Texts as instances of ``diffusion-exit``: recordings on the search split, live decodings elsewhere."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.diffusion.decoding import identity, margins
from evaluators.diffusion.denoiser.model import UNREADABLE
from evaluators.diffusion.denoiser.shapes import SHAPES
from evaluators.diffusion.early_exit.trajectory import LIVE, Trajectory
from evaluators.diffusion.problem import DECISION_SECONDS, MODELS, payload
from evaluators.diffusion.texts import Text, group_of
from evaluators.diffusion.texts import part as texts_of
from evaluators.diffusion.tokens import END, encode
from evaluators.task import Instance, TaskError

RECORDINGS = Path(__file__).parent / "data" / "recordings.npz"


def instance(id_: str, group: str, payload: bytes, span: int, total: int, full: float) -> Instance:
    """A text, whose reference is the quality that full decoding gives it."""
    return Instance(
        id=id_,
        group=group,
        size=span,
        payload=payload,
        answer_bytes=2 + 4 * span,
        limit=total * DECISION_SECONDS,
        reference=full,
        reference_kind="baseline",
    )


def live(text: Text) -> Instance:
    """A text that a shipped denoiser decodes while the policy is asked."""
    scale = SHAPES[text.model].scale
    data = bytes([LIVE]) + payload(text.model, identity(text.model), encode(text.prompt, scale.prompt))
    return instance(text.id, group_of(text.model, text.family), data, scale.span, scale.span, text.full)


def part(name: str) -> tuple[Instance, ...]:
    """The instances of a part of the splits. Raises TaskError where the recordings are damaged."""
    texts = texts_of(name)
    if name != "search":
        return tuple(map(live, texts))
    arrays, table = _recordings(), margins(MODELS[0]).astype(np.float16)
    if len(arrays["fixed"]) != len(texts):
        raise TaskError(f"the file {RECORDINGS.name} is damaged or of another version: reinstall the package")
    scale = SHAPES[MODELS[0]].scale
    made = []
    for at, text in enumerate(texts):
        recorded = Trajectory(
            arrays["readings"][at].swapaxes(1, 2),  # positions first is half the size in the file
            arrays["best"][at],
            arrays["fixed"][at],
            table,
            END,
            encode(text.prompt, scale.prompt),
            np.empty(0, np.float32),
        )
        made.append(
            instance(text.id, text.family, recorded.to_bytes(), scale.span, recorded.passes, text.full)
        )
    return tuple(made)


@cache
def _recordings() -> dict[str, npt.NDArray[Any]]:
    try:
        with np.load(RECORDINGS, allow_pickle=False) as file:
            return {name: file[name] for name in ("readings", "best", "fixed")}
    except UNREADABLE as error:
        raise TaskError(
            f"the file {RECORDINGS.name} cannot be read ({error}): reinstall the package"
        ) from None
