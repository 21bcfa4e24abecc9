"""Characters and tokens, and how long the texts of a model are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Tokens = npt.NDArray[np.int64]

CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789 +=,-()[]{}ABCDEFGHIJKL"
END, MASK = 0, 1
VOCABULARY = 2 + len(CHARACTERS)
"""Token 0 fills what follows the text, token 1 is the mask, the others are CHARACTERS."""
_TOKENS = {character: token for token, character in enumerate(CHARACTERS, start=2)}


@dataclass(frozen=True)
class Scale:
    """How long a model's texts are: ``prompt`` and ``span`` (the answer) in tokens, and how much an answer holds."""

    prompt: int
    span: int
    items: int
    """Terms of a sequence, words of a translation, letters of a list; other families add to it."""


def encode(text: str, length: int) -> Tokens:
    """The tokens of a text, int64 of ``length``, filled up with END. Raises ValueError where the text is longer or has
    other characters."""
    if len(text) > length:
        raise ValueError(f"the text has {len(text)} characters; at most {length} fit")
    strange = next((c for c in text if c not in _TOKENS), None)
    if strange is not None:
        raise ValueError(f"the character {strange!r} is none that the model knows: {CHARACTERS}")
    return np.array([_TOKENS[c] for c in text] + [END] * (length - len(text)), dtype=np.int64)


def decode(tokens: npt.NDArray[np.integer]) -> str:
    """The text before the END tokens that fill up the rest; a mask or an END with text behind it is an underscore."""
    whole = "".join("_" if t == MASK else "~" if t == END else CHARACTERS[t - 2] for t in tokens.tolist())
    return whole.rstrip("~").replace("~", "_")
