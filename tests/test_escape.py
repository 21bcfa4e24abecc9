"""Hostile text stays text."""

from __future__ import annotations

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from discovery.cli.output import console
from discovery.escape import plain


@pytest.mark.parametrize(
    "text, shown",
    [
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("\x9b2J", "\\x9b2J"),
        ("a\u202eb\u2066c\u200fd", "a\\u202eb\\u2066c\\u200fd"),
        ("zero\u200bwidth\ufeff", "zero\\u200bwidth\\ufeff"),
        ("line\nfeed\ttab\rreturn", "line\\nfeed\\ttab\\rreturn"),
        ("lone \ud800", "lone \\ud800"),
        ("tag \U000e0041", "tag \\U000e0041"),
        ("two\u2028lines", "two\\u2028lines"),
        ("é 漢 😀 ∑", "é 漢 😀 ∑"),
    ],
)
def test_characters_that_act_are_shown(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_source_text_keeps_its_lines_only() -> None:
    assert plain("a\n\tb\r\x1b", lines=True) == "a\n\tb\\r\\x1b"


def test_a_limit_is_marked() -> None:
    assert plain("abcdef", limit=3) == "abc…"
    assert plain("abc", limit=3) == "abc"


@given(st.text())
def test_nothing_that_acts_is_left(text: str) -> None:
    result = plain(text)
    assert all(unicodedata.category(c) not in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") for c in result)
    assert "\n" not in result


@given(st.text(alphabet="[]/\\ab=#@(link:smile"))
def test_our_console_prints_markup_as_it_stands(text: str) -> None:
    stream = io.StringIO()
    console(stream).print(text, end="", soft_wrap=True)
    assert stream.getvalue() == text
