"""What models and candidates wrote cannot act on a terminal, and reaches a pipe to the letter."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
import review_samples as samples
from review_samples import CHAMPION, HOSTILE, HOSTILE_HASH, MDD, PARENT, RUN, TOO_HOSTILE

from db.ledger import Ledger
from discovery.cli.main import main
from discovery.config import PREFIX
from evaluators import registry

LEDGER = "l.sqlite"


@pytest.fixture(autouse=True)
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.BUILT_IN, "small", "review_samples:Small")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(PREFIX + "DB", raising=False)
    with Ledger.open(tmp_path / LEDGER) as opened:
        samples.filled(opened)


class _Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def shown(monkeypatch: pytest.MonkeyPatch, *words: str) -> tuple[int, str]:
    """Exit code and everything a terminal would get, on both streams."""
    terminal = _Terminal()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", terminal)
        patch.setattr(sys, "stderr", terminal)
        patch.setenv("TERM", "dumb")
        patch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as ended:
            main([*words, "--db", LEDGER])
    assert isinstance(ended.value.code, int)
    return ended.value.code, terminal.getvalue()


@pytest.mark.parametrize(
    "words, holds",
    [
        (["runs"], "16/16"),
        (["show", RUN], "the limit of 1000 tokens"),
        (["show", PARENT.hash[:8]], "[red]x[/red]"),
        (["show", samples.BROKEN.hash], "ValueError: \\x1b"),
        (["show", HOSTILE_HASH[:6], "--code"], "\\u202e\\r\n"),
        (["tree", RUN], "no function, \\x1b[2J\\x1b]0;owned\\x07 \\u202etxt"),
        (["diff", MDD.hash[:8], HOSTILE_HASH[:6]], "+import os  # \\x1b[2J \\u202e\\r"),
        (["diff", HOSTILE_HASH[:6], MDD.hash[:8]], "-x = '\\u2066'"),
    ],
)
def test_hostile_text_is_escaped_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, words: list[str], holds: str
) -> None:
    code, text = shown(monkeypatch, *words)
    assert code == 0 and holds in text
    assert [c for c in TOO_HOSTILE if c in text] == []


def test_a_reason_cannot_add_lines_to_the_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    _, text = shown(monkeypatch, "tree", RUN)
    assert len(text.splitlines()) == 19
    assert not any(line.startswith("run") for line in text.splitlines())


@pytest.mark.parametrize(
    "words", [["show", RUN], ["show", PARENT.hash], ["tree", RUN], ["diff", MDD.hash, HOSTILE_HASH], ["runs"]]
)
def test_json_is_one_ascii_line_that_keeps_the_text(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*words, "--db", LEDGER, "--json"])
    out = capsys.readouterr().out
    assert ended.value.code == 0 and out.isascii() and out.count("\n") == 1
    data = json.loads(out)
    if words[-1] == PARENT.hash:
        assert data["attempts"][0]["reply"] == f"no code, {HOSTILE}"
    if words[-1] == HOSTILE_HASH:
        assert "+x = '\u2066'  # [red]" in data["diff"]


def test_code_reaches_a_pipe_to_the_letter(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    with pytest.raises(SystemExit):
        main(["show", RUN, "--code", "--db", LEDGER])
    assert capfdbinary.readouterr().out == CHAMPION.code.encode()


@pytest.mark.parametrize(
    "words, code",
    [(["show", "abc"], 2), (["show", "r-none"], 2), (["diff", "zz", "yy"], 2), (["tree", "feed"], 2)],
)
def test_an_unknown_name_ends_with_one_sentence(
    monkeypatch: pytest.MonkeyPatch, words: list[str], code: int
) -> None:
    ended, text = shown(monkeypatch, *words)
    assert ended == code and text.startswith("discover: ") and text.count("\n") == 1
