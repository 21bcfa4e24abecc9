"""Text that others wrote (models, candidates, files, servers), made safe to print.

A terminal obeys control characters, an editor reorders by bidirectional marks, and rich reads ``[…]`` as markup.
Everything printed that did not come from this package goes through here first.
"""

from __future__ import annotations

import unicodedata

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


def safe(text: str, *, limit: int | None = None, lines: bool = False) -> str:
    """:func:`plain`, with rich's markup escaped as well: for strings that rich prints."""
    from rich.markup import escape

    return escape(plain(text, limit=limit, lines=lines))


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
