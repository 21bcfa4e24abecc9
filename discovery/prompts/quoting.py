"""Untrusted text in a prompt: cleaned, on one line or fenced, bounded."""

from __future__ import annotations

import re

from discovery.escape import plain

_SPECIAL = re.compile(r"<(?=[|｜])|(?<=[|｜])>|<(?=/?s>|/?(?:start|end)_of_turn>|/?think>)|\[(?=/?INST\])")


def clean(text: str) -> str:
    """``text`` without characters that hide or reorder it, and without the control tokens of chat formats."""
    text = plain(text.replace("\r\n", "\n").replace("\r", "\n"), lines=True)
    return _SPECIAL.sub(lambda m: f" {m[0]}" if m[0] == ">" else f"{m[0]} ", text)


def one_line(text: str, length: int) -> str:
    """``text`` cleaned, on one line, bounded."""
    line = " ".join(clean(text[: 4 * length]).split())
    return line if len(line) <= length else line[: length - 1] + "…"


def fenced(text: str, language: str) -> str:
    """``text`` cleaned, in a fence longer than any run of backticks inside."""
    body = clean(text).strip("\n")
    longest = max((len(run) for run in re.findall("`+", body)), default=0)
    mark = "`" * max(3, longest + 1)
    return f"{mark}{language}\n{body}\n{mark}"


def beginning(text: str, lines: int | None) -> tuple[str, int]:
    """The first ``lines`` of a text (all of them for None), and how many are left out."""
    every = text.strip("\n").split("\n")
    if lines is None or len(every) <= lines:
        return text, 0
    return "\n".join(every[:lines]), len(every) - lines
