"""The user's own programs: a file in the description language is one instance for each scale of its sizes."""

from __future__ import annotations

import math
from pathlib import Path

from evaluators.polyhedral.language import MOST_TEXT, parse
from evaluators.polyhedral.measuring import COPIES, MEMORY
from evaluators.polyhedral.problem import make
from evaluators.polyhedral.program import Program, Sizes
from evaluators.task import InstanceSet, TaskError


def read(path: Path, machine: str) -> InstanceSet:
    """The instances of a file, named after it. Raises TaskError with the line and what is wrong."""
    text = text_of(path)
    program = parse(text, path.stem)
    made = []
    for scale in range(len(program.scales[0])):
        sizes = program.at(scale)
        _check(program, sizes)
        name = path.stem if len(program.scales[0]) == 1 else f"{path.stem}-{scale}"
        made.append(make(name, path.stem, text, sizes, machine))
    return InstanceSet(path.name, tuple(made))


def _check(program: Program, sizes: Sizes) -> None:
    """Raises TaskError where an array has no elements or all together do not fit."""
    shapes = {a.name: program.shape(a.name, sizes) for a in program.arrays}
    for name, shape in shapes.items():
        if min(shape) < 1:
            raise TaskError(
                f"{program.name}: {name} has no elements at {sizes}; every extent must be at least 1"
            )
    needed = 8 * sum(math.prod(shape) for shape in shapes.values())
    if needed > MEMORY // COPIES:
        raise TaskError(
            f"{program.name}: the arrays take {needed} bytes at {sizes}; {MEMORY // COPIES} are the most, choose "
            "smaller sizes"
        )


def text_of(path: Path) -> str:
    """The text of a program file. Raises TaskError."""
    try:
        with path.open("rb") as file:
            data = file.read(4 * MOST_TEXT + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise TaskError(f"{path} cannot be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise TaskError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8") from None
    if not text.strip():
        raise TaskError(
            f"{path} holds no program; expected a text like that of the kernels in docs/tasks/polyhedral.md"
        )
    return text
