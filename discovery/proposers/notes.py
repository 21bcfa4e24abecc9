"""The one way from a reply to a note: its first sentences, in words, bounded. What is code stays out."""

from __future__ import annotations

import ast
import re

from discovery.candidate import MAX_BYTES, Refused, parse
from discovery.escape import plain
from discovery.proposers.reply import RUN, Unreadable, answered, fenced_blocks

MAX_NOTE = 600
"""Characters of a note, about 150 tokens: two or three of them fit into the prompt of a small model."""
LEAST_WORDS = 4
MAX_READ = 20_000

_WORD = re.compile(r"[^\W\d_]{2,}")
_BULLET = re.compile(r"^\s*(?:[-*+•>#]+|\d{1,2}[.)])\s+")
_CODE = re.compile(
    r"^\s*(?:(?:import|from) [\w.]+|def \w+\s*\(|class \w+\b.*:$|return\b(?! to)|(?:el)?if\b.*:$|for\b.*\bin\b.*:$"
    r"|else:$|@\w|[\w.\[\]]+(?:, ?[\w.\[\]]+)* ?[-+*/|&]?= ?\S|[<>=]{4,})"
)
_END = re.compile(r"[.!?…][\"')\]]?(?=\s|$)")


def note_text(reply: str) -> str:
    """The note in ``reply``, on one line, at most :data:`MAX_NOTE` characters, cut after a sentence where one ends.

    Raises Unreadable for a reply without words, or with code and nothing else."""
    text = answered(reply[:MAX_READ].replace("\r\n", "\n").replace("\r", "\n"))
    words = " ".join(_BULLET.sub("", line).strip() for line in _lines(text))
    words = plain(" ".join(words.split()))
    if len(_WORD.findall(words)) < LEAST_WORDS:
        what = "code instead of a note" if text.strip() else "nothing"
        raise Unreadable(f"the reply holds {what}; answer in at most five short sentences, without code")
    return _shortened(words)


def _lines(text: str) -> list[str]:
    """The lines that are neither code nor its fences."""
    if _is_module(text):
        return []
    kept, mark = [], ""
    for line in text.split("\n"):
        run = RUN.match(line.strip())
        if run is not None:
            mark = "" if mark else run[0]
        elif not mark and not _CODE.match(line) and not line.startswith(("    ", "\t")):
            kept.append(line)
    return kept


def _is_module(text: str) -> bool:
    """Whether all of the text is Python that defines something."""
    if len(text) > MAX_BYTES or fenced_blocks(text):
        return False
    try:
        tree = parse(text if text.endswith("\n") else text + "\n")
    except Refused:
        return False
    return any(isinstance(s, ast.FunctionDef | ast.ClassDef | ast.Assign | ast.Import) for s in tree.body)


def _shortened(words: str) -> str:
    if len(words) <= MAX_NOTE:
        return words
    ends = [m.end() for m in _END.finditer(words[:MAX_NOTE])]
    return words[: ends[-1]] if ends else words[: MAX_NOTE - 1] + "…"
