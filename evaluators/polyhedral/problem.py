"""An instance: a program at sizes. Its payload holds what the candidate sees and, beside it, the program's text."""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache

from evaluators.polyhedral.adapter import ANSWER_BYTES
from evaluators.polyhedral.compiler import Compiler, compiler_of
from evaluators.polyhedral.program import Sizes
from evaluators.task import Instance

CALL_SECONDS = 2.0
"""Processor time of one call of a candidate: a compiler pass that is in nobody's way."""


def make(id_: str, group: str, text: str, sizes: Sizes, machine: str, *, strict: bool = False) -> Instance:
    """The instance of a program's text. ``machine`` names compiler and processor: scores of another machine are other
    scores. ``strict``: an illegal schedule refuses the candidate. Raises TaskError where the text is no program."""
    text = untitled(text)
    compiler = compiler_of(text, id_)
    payload = {
        "program": compiler.described(sizes),
        "text": text, "sizes": sizes, "strict": strict,
        "machine": hashlib.sha256(machine.encode()).hexdigest()[:16],
    }  # fmt: skip
    size = sum(len(s.loops) for s in compiler.program.statements)
    return Instance(
        id_, group, size, json.dumps(payload).encode(), ANSWER_BYTES, CALL_SECONDS, 1.0, "baseline"
    )


def untitled(text: str) -> str:
    """The text without its docstring, which would tell a candidate that looks around which program it is."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    first = ast.parse(text).body[0]
    if not isinstance(first, ast.Expr) or first.end_lineno is None or first.end_col_offset is None:
        return text
    lines = text.split("\n")[first.end_lineno - 1 :]
    rest = lines[0].encode()[first.end_col_offset :].decode().lstrip("; ")
    return "\n".join([rest, *lines[1:]])


@lru_cache(maxsize=512)
def opened(payload: bytes, name: str) -> tuple[Compiler, Sizes, bool]:
    """Compiler, sizes and strictness of an instance's payload, which is our own."""
    given: Mapping[str, object] = json.loads(payload)
    sizes = given["sizes"]
    assert isinstance(sizes, dict)
    return compiler_of(str(given["text"]), name), sizes, bool(given["strict"])
