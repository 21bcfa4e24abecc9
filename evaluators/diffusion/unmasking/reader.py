"""The user's own prompts for the shipped denoisers, as instances of ``diffusion``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np

from evaluators.diffusion.denoiser.shapes import SHAPES
from evaluators.diffusion.families import FAMILIES, prompt_of
from evaluators.diffusion.full import decoded
from evaluators.diffusion.judging import right
from evaluators.diffusion.texts import Text, prompts
from evaluators.diffusion.tokens import encode
from evaluators.diffusion.unmasking.instances import instance
from evaluators.lines import Line, lines, record, shown, word
from evaluators.task import InstanceSet, TaskError

MOST = 2_000
LONGEST = 2_000
EXPECTED = 'expected {"family": "sort", "prompt": "402718"}, with "model" and "id" if you like'
KEYS = ("family", "prompt", "model", "id")
BATCH = 32


def read(path: Path) -> InstanceSet:
    """JSON Lines with ``family`` and ``prompt`` (without tag), ``model`` (small) and ``id``; what full decoding
    makes of each prompt is found out here, in a tenth of a second a text. Raises TaskError with the line and what
    is wrong."""
    found: list[tuple[Line, str, str, str, str]] = []
    seen: dict[str, int] = {}
    for line, text in lines(path, LONGEST, "a prompt has a few characters"):
        values = record(line, text, EXPECTED, "a text")
        unknown = next((key for key in values if key not in KEYS), None)
        if unknown is not None:
            line.refuse(f"there is no {shown(unknown)}; {EXPECTED}")
        model = _one_of(line, values, "model", list(SHAPES), "small")
        family = _one_of(line, values, "family", list(FAMILIES), None)
        prompt = _prompt(line, values, model, family)
        name = word(line, values, "id", f"{family}-{line.number}")
        if name in seen:
            line.refuse(f"the id {name!r} is used in line {seen[name]} already; ids must differ")
        if len(found) == MOST:
            line.refuse(f"the file has more than {MOST} prompts; split it")
        seen[name] = line.number
        found.append((line, name, model, family, prompt))
    if not found:
        raise TaskError(f"{path} holds no prompts; {EXPECTED} on each line")
    full = _full([(model, family, prompt) for _, _, model, family, prompt in found])
    made = [
        instance(Text(name, model, family, prompt_of(FAMILIES[family], prompt), worth))
        for (_, name, model, family, prompt), worth in zip(found, full, strict=True)
    ]
    return InstanceSet(path.name, tuple(made))


def _one_of(line: Line, values: dict[str, Any], name: str, known: list[str], default: str | None) -> str:
    value = values.get(name, default)
    if value not in known:
        line.refuse(f"{name!r} is {shown(value)}; expected {', '.join(known[:-1])} or {known[-1]}")
    return str(value)


def _prompt(line: Line, values: dict[str, Any], model: str, family: str) -> str:
    prompt = values.get("prompt")
    if not isinstance(prompt, str) or not prompt:
        line.refuse(f"'prompt' is {shown(prompt)}; expected a text")
    if not re.fullmatch(FAMILIES[family].form, prompt):
        line.refuse(
            f"'prompt' is {shown(prompt)}, which is none of the family {family!r}; an example: {_example(family)}"
        )
    try:
        encode(prompt_of(FAMILIES[family], prompt), SHAPES[model].scale.prompt)
    except ValueError as error:
        line.refuse(f"'prompt' is {shown(prompt)}, which the model {model!r} cannot read: {error}")
    return prompt


def _example(family: str) -> str:
    return prompts("small", family, 0, 1)[0]


def _full(asked: list[tuple[str, str, str]]) -> list[float]:
    """The quality that full decoding gives each (model, family, prompt)."""
    worths = [0.0] * len(asked)
    for model, shape in SHAPES.items():
        rows = [k for k, (own, _, _) in enumerate(asked) if own == model]
        for start in range(0, len(rows), BATCH):
            part = rows[start : start + BATCH]
            prompts = np.stack(
                [encode(prompt_of(FAMILIES[asked[k][1]], asked[k][2]), shape.scale.prompt) for k in part]
            )
            for k, prompt, answer in zip(part, prompts, decoded(model, prompts), strict=True):
                worths[k] = right(model, prompt, answer)
    return worths
