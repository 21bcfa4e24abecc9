"""The pages of the documentation as data: their fenced blocks in order, and the commands in them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))

FENCE = re.compile(
    r"^(?P<indent> *)```(?P<word>\S*)(?P<more>[^\n]*)\n(?P<text>.*?)^(?P=indent)```\s*$", re.M | re.S
)
SKIP = re.compile(r"<!-- not run: (?P<reason>[^\n]+?) -->\s*\Z")
TITLE = re.compile(r'title="([^"]+)"')
INLINE = re.compile(r"(?<!`)`([^`]+)`(?!`)")
SHELL = ("sh", "console")


@dataclass(frozen=True)
class Block:
    """One fenced block. ``title`` names the file that it holds; ``reason`` says why it is not run."""

    page: Path
    line: int
    language: str
    title: str | None
    text: str
    reason: str | None

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def commands(self) -> list[str]:
        """The commands of a shell block, one each; a block with a here-document is one command. Of a ``console`` block
        only what follows a ``$``; the rest is what it prints. Python without a title is a script."""
        if self.language == "python":
            return [f"python - <<'END'\n{self.text}END\n"]
        text = self.text.replace("\\\n", " ")
        if self.language == "console":
            return [line[2:] for line in text.splitlines() if line.startswith("$ ")]
        if "<<" in text:
            return [text]
        return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def blocks(page: Path) -> Iterator[Block]:
    text = page.read_text(encoding="utf-8")
    for found in FENCE.finditer(text):
        skip = SKIP.search(text[: found.start()])
        title = TITLE.search(found["more"])
        indent = len(found["indent"])
        body = "".join(line[indent:] for line in found["text"].splitlines(keepends=True))
        line = text.count("\n", 0, found.start()) + 1
        yield Block(page, line, found["word"], title and title[1], body, skip and skip["reason"])


def mentioned(page: Path) -> Iterator[tuple[str, list[str]]]:
    """Every ``discover …`` that a page tells its reader to type, run here or not: where, and its words."""
    for block in blocks(page):
        if block.language in SHELL:
            for command in block.commands:
                yield from ((block.where, words) for words in _ours(command))
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    for span in INLINE.findall(prose):
        yield from ((f"{page.relative_to(ROOT)}: `{span}`", words) for words in _ours(" ".join(span.split())))


def _ours(line: str) -> Iterator[list[str]]:
    """The words of every ``discover`` in a line, without what is optional about them."""
    for part in re.split(r"\s*(?:&&|;|\|(?=\s))\s*", line):
        lexer = shlex.shlex(re.sub(r"[\[\]]", " ", part), posix=True, punctuation_chars=False)
        lexer.whitespace_split, lexer.commenters = True, "#"
        try:
            words = list(lexer)
        except ValueError:
            continue
        if words and Path(words[0]).name == "discover" and len(words) > 1:
            yield words[1:]
