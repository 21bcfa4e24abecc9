"""The texts of the splits: prompts of the half that training never sees, drawn with arithmetic of their own."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from itertools import count
from pathlib import Path

import numpy as np

from evaluators.bits import GAMMA, MASK, mix, stream
from evaluators.diffusion.denoiser.shapes import SHAPES
from evaluators.diffusion.families import FAMILIES, prompt_of, sample
from evaluators.task import TaskError

DATA = Path(__file__).parent / "data"
SEARCHED = ("story", "sort", "translate", "list", "verse", "copy", "shuffle", "choice")
"""The families of search and gate; the others are for the final split."""
HELD_OUT = tuple(name for name in FAMILIES if name not in SEARCHED)

SCREEN, SEARCH, LOOKS, LOOK, REPORT, FINAL = 2, 100, 2, 400, 400, 100
"""Texts of a family in each part; LOOKS blocks of LOOK."""
MOST = SCREEN + SEARCH + REPORT + LOOKS * LOOK
"""Texts of a family that are known, besides those of the final split of the held-out ones."""


class Bits:
    """Draws with SplitMix64 (:mod:`evaluators.bits`), the same on every machine."""

    def __init__(self, *parts: int) -> None:
        self._state = stream(*parts)

    def _next(self) -> int:
        self._state = (self._state + GAMMA) & MASK
        return mix(self._state)

    def integers(self, low: int, high: int, size: int | None = None) -> int | list[int]:
        """Whole numbers from ``low`` to below ``high``."""
        if size is None:
            return low + (self._next() * (high - low) >> 64)
        return [low + (self._next() * (high - low) >> 64) for _ in range(size)]

    def random(self) -> float:
        """From 0 to below 1."""
        return (self._next() >> 11) * 2.0**-53

    def permutation(self, size: int) -> np.ndarray:
        """The numbers below ``size`` in some order (Fisher and Yates)."""
        order = np.arange(size)
        for k in range(size - 1, 0, -1):
            other = self._next() * (k + 1) >> 64
            order[[k, other]] = order[[other, k]]
        return order


@dataclass
class _Prompts:
    """Different prompts of a family for a model, as many as were asked for so far."""

    model: str
    family: str
    found: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._source = self._drawn()

    def _drawn(self) -> Iterator[str]:
        seen: set[str] = set()
        place, shape = list(FAMILIES).index(self.family), SHAPES[self.model]
        for number in count():
            draw = Bits(shape.seed, place, number)
            prompt, _ = sample(FAMILIES[self.family], draw, shape.scale, training=False)
            if prompt not in seen:
                seen.add(prompt)
                yield prompt

    def first(self, wanted: int) -> list[str]:
        while len(self.found) < wanted:
            self.found.append(next(self._source))
        return self.found[:wanted]


@cache
def _prompts(model: str, family: str) -> _Prompts:
    return _Prompts(model, family)


def prompts(model: str, family: str, start: int, stop: int) -> list[str]:
    """Prompts ``start`` to below ``stop`` of a family (without its tag)."""
    return _prompts(model, family).first(stop)[start:stop]


@dataclass(frozen=True)
class Text:
    """A prompt with the tag of its family, and whether full decoding answers it well (1.0 or 0.0)."""

    id: str
    model: str
    family: str
    prompt: str
    full: float


def part(name: str) -> tuple[Text, ...]:
    """The texts of a part of the splits, the families alternating."""
    if name == "final":
        held_out = [("small", f, 0) for f in HELD_OUT]
        return _texts("final", [*held_out, *(("long", f, 0) for f in FAMILIES)], FINAL)
    at = {"screen": 0, "search": SCREEN, "report-0": SCREEN + SEARCH}
    sizes = {"screen": SCREEN, "search": SEARCH, "report-0": REPORT}
    start = at[name] if name in at else SCREEN + SEARCH + REPORT + LOOK * int(name.removeprefix("look-"))
    return _texts(name, [("small", f, start) for f in SEARCHED], sizes.get(name, LOOK))


def known(model: str, family: str) -> int:
    """How many prompts of a family have a place in some part."""
    return MOST if model == "small" and family in SEARCHED else FINAL


def _texts(name: str, sources: list[tuple[str, str, int]], size: int) -> tuple[Text, ...]:
    columns = [
        [
            Text(
                f"{name}-{group_of(model, family)}-{k}",
                model,
                family,
                prompt_of(FAMILIES[family], prompt),
                float(_full(model, family)[start + k]),
            )
            for k, prompt in enumerate(prompts(model, family, start, start + size))
        ]
        for model, family, start in sources
    ]
    return tuple(text for row in zip(*columns, strict=True) for text in row)


def group_of(model: str, family: str) -> str:
    """The class of a text: its family, and the model where it is not the one of the search."""
    return family if model == "small" else f"{model}-{family}"


@cache
def _full(model: str, family: str) -> np.ndarray:
    """For each known prompt whether full decoding answers it well, 0 or 1. Raises TaskError for damaged data."""
    path = DATA / "full.json"
    try:
        bits = json.loads(path.read_text(encoding="utf-8"))[model][family]
        found = np.unpackbits(np.frombuffer(bytes.fromhex(bits), np.uint8))[: known(model, family)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TaskError(f"the file {path.name} cannot be used ({error}): reinstall the package") from None
    if len(found) < known(model, family):
        raise TaskError(f"the file {path.name} is too short: reinstall the package")
    return found
