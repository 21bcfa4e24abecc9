"""Polly as a reference policy: the program as written, compiled by a clang that has it, beside gcc's object.

Source: Grosser, Groesslinger & Lengauer, "Polly: performing polyhedral optimizations on a low-level intermediate
representation" (2012).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from evaluators.polyhedral import codegen, toolchain
from evaluators.polyhedral.measuring import Measurer
from evaluators.polyhedral.program import Program
from evaluators.polyhedral.toolchain import Compiler, Failure
from evaluators.task import TaskError

FLAGS = ("-mllvm", "-polly")
PARALLEL = ("-mllvm", "-polly-parallel", "-lgomp")
MARK = "/* for Polly */\n"
"""The first line of a text for Polly: it is that of gcc otherwise, which must have an object of its own."""


@dataclass(frozen=True)
class Beside(Compiler):
    """Polly for the texts with the mark, ``plain`` for the others."""

    plain: Compiler | None = None

    def compiled(self, text: str) -> Path:
        compiler = self if text.startswith(MARK) or self.plain is None else self.plain
        return Compiler(compiler.path, compiler.version, compiler.flags).compiled(text)


def text(program: Program) -> str:
    """The program as written, for Polly."""
    return MARK + codegen.reference(program)


@lru_cache(maxsize=8)
def measurer(command: str, plain: Compiler, threads: int = 1) -> Measurer:
    """A measurer of texts for Polly against those of ``plain``.

    Raises TaskError, naming the option, when there is no such command or it is a compiler without Polly."""
    try:
        found = toolchain.compiler(command, (*FLAGS, *(PARALLEL if threads > 1 else ())))
    except TaskError as error:
        raise TaskError(f"option polly={command!r} of task 'polyhedral': {error}") from None
    beside = Beside(found.path, found.version, found.flags, plain)
    try:
        beside.compiled(MARK + "void kernel(void) {}\n")
    except Failure as failure:
        raise TaskError(
            f"option polly={command!r} of task 'polyhedral': the compiler takes no {' '.join(FLAGS)} ({failure}); on "
            "Debian, apt install clang-19 libpolly-19-dev brings one that does"
        ) from None
    return Measurer(beside, threads)
