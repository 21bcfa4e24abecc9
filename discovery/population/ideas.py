"""What a candidate says of itself: the first comment or docstring line of its code, for the prompts that come later."""

from __future__ import annotations

import re

from discovery.escape import plain

LONGEST = 100
_WORDS = re.compile(r"""^\s*(?:\#+|[rRuU]?(?:\"{3}|'{3}))\s*([^\n]*?)\s*(?:\"{3}|'{3})?\s*$""", re.M)


def idea(code: str) -> str:
    """One line, made safe to show and bounded; empty when the code says nothing."""
    for found in _WORDS.finditer(code[:4_000]):
        words = found[1].strip("# ")
        if any(map(str.isalpha, words)):
            return plain(words, limit=LONGEST)
    return ""
