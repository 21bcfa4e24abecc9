"""An autoscheduler at work outside any run: a program file in, C out. What exported plugins use.

The candidate runs in this process, as a person who installs a plugin has decided; every transform is proved as ever.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from evaluators.polyhedral import adapter, codegen, view
from evaluators.polyhedral.compiler import compiler_of
from evaluators.polyhedral.dependences import OutOfOperations
from evaluators.polyhedral.language import sized
from evaluators.polyhedral.oracle import oracle
from evaluators.polyhedral.reader import text_of
from evaluators.polyhedral.transforms import read
from evaluators.task import TaskError


def written(
    schedule: Callable[..., Any], path: Path, sizes: Mapping[str, int] | None = None, *, threads: bool = False
) -> str:
    """C of the program in the file as ``schedule`` orders it; it serves every size. ``sizes`` are those that the
    scheduler is told (the largest of the file without). ``threads``: with OpenMP's marks.

    Raises TaskError for a broken file, unknown sizes, and transforms that are refused."""
    compiler = compiler_of(text_of(path), path.stem)
    program = compiler.program
    told = program.at(len(program.scales[0]) - 1) if sizes is None else sized(program, dict(sizes)).at(0)
    answers = oracle(compiler, told)

    def ask(question: bytes) -> bytes:
        reply = answers(question)
        if reply is None:
            raise RuntimeError("the oracle's budget of operations is used up")
        return reply

    seen = json.loads(json.dumps(view.described(compiler.analysis, told)))
    try:
        given = list(schedule(adapter.program_of(seen), adapter.Oracle(ask)))
        transforms = read(json.loads(adapter.padded(given, adapter.ANSWER_BYTES)))
    except Exception as error:  # whatever a scheduler of somebody's raises
        raise TaskError(
            f"{path.name}: the scheduler gave no transforms: {type(error).__name__}: {error}"
        ) from error
    verdict = compiler.verdict(transforms)
    if verdict.schedule is None:
        raise TaskError(f"{path.name}: {verdict.reason}")
    try:
        return compiler.text(verdict.schedule, threads=threads)
    except (OutOfOperations, codegen.TooLong) as error:
        raise TaskError(f"{path.name}: no C could be made of the schedule: {error}") from None
