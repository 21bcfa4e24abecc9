"""Text that others wrote (models, candidates, files, servers), made safe to print.

A terminal obeys control characters and reorders by bidirectional marks. Everything printed that did not come from
this package goes through here first. Markup needs no escape: :func:`discovery.cli.output.console` interprets none.
"""

from __future__ import annotations

import unicodedata
from itertools import groupby

_UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Unicode categories that never reach a terminal: controls (so every ANSI sequence), formats (bidirectional and
zero-width marks), lone surrogates, private use, unassigned, and the line and paragraph separators."""


def plain(text: str, *, limit: int | None = None, lines: bool = False) -> str:
    """``text`` with every character that acts instead of showing written as an escape (``\\x1b``, ``\\u202e``).

    ``lines`` keeps line feeds and tabs, for source text; else they are escaped too, so that the result is one line.
    ``limit`` cuts the input to that many characters and marks the cut with an ellipsis."""
    cut = limit is not None and len(text) > limit
    shown = text[:limit] if cut else text
    result = "".join(c if _harmless(c, lines) else _escaped(c) for c in shown)
    return result + "…" if cut else result


def marked(text: str, *, lines: bool = False) -> list[tuple[str, bool]]:
    """``text`` in runs, and whether a run is an escape: the characters of :func:`plain`, for whoever can show that an
    escape is not what the text itself says."""
    runs = groupby(text, key=lambda c: _harmless(c, lines))
    return [("".join(run if calm else map(_escaped, run)), not calm) for calm, run in runs]


def _harmless(character: str, lines: bool) -> bool:
    if lines and character in "\n\t":
        return True
    return unicodedata.category(character) not in _UNSAFE


def _escaped(character: str) -> str:
    code = ord(character)
    if character in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[character]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
