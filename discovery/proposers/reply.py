"""What a reply is made of: reasoning that does not count, fenced blocks, and text around them."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass

_REASONING = re.compile(
    r"<(/?)(?:think|thinking|thought|thoughts|reasoning|reflection|analysis|scratchpad)>", re.I
)
_CHANNEL = re.compile(r"<\|channel\|>\s{0,8}(\w{1,20})[^<\n]{0,80}<\|message\|>")
_END = re.compile(r"<\|(?:end|return|start|call)\|>")
_TOKEN = re.compile(r"<[|｜][\w▁/ ]{1,40}[|｜]>")
RUN = re.compile(r"`{3,}|~{3,}")


class Unreadable(Exception):
    """The reply holds no candidate; the message is the reason, one sentence, fit for the next prompt."""


@dataclass(frozen=True)
class Fence:
    language: str
    code: str
    closed: bool


def answered(text: str) -> str:
    """``text`` without reasoning: tags (closed, unclosed, or opened in the prompt), channels, special tokens."""
    finals = [(m.end(), m[1]) for m in _CHANNEL.finditer(text)]
    if finals:
        start = next((end for end, name in reversed(finals) if name == "final"), None)
        if start is None:
            raise Unreadable("the reply ends inside its reasoning; it holds no final answer")
        text = _END.split(text[start:], maxsplit=1)[0]
    elif text.startswith("analysis") and "assistantfinal" in text:
        text = text.rpartition("assistantfinal")[2]
    kept: list[str] = []
    start, inside, before = 0, False, ""
    for match in _REASONING.finditer(text):
        if match[1]:
            if not inside:
                before, kept = before or text[start : match.start()], []
            start, inside = match.end(), False
        elif not inside:
            kept.append(text[start : match.start()])
            inside = True
    kept.append("" if inside else text[start:])
    answer = "".join(kept)
    answer = answer if answer.strip() else before
    if not answer.strip() and text.strip():
        raise Unreadable("the reply ends inside its reasoning; it holds no final answer")
    return _TOKEN.sub("", answer)


def fenced_blocks(text: str) -> list[Fence]:
    """Fenced blocks in order: closed or cut off, indented, opened or closed at the end of a line of text."""
    found: list[Fence] = []
    mark, language, body = "", "", list[str]()
    for line in text.split("\n"):
        runs = RUN.findall(line) if "```" in line or "~~~" in line else []
        if len(runs) != 1 or (mark and (runs[0][0] != mark[0] or len(runs[0]) < len(mark))):
            if mark:
                body.append(line)
            continue
        head, _, tail = line.partition(runs[0])
        word = tail.strip().strip("{}.").split(" ")[0].split("{")[0].lower()
        if mark:
            closes = not tail.strip()
            if not closes and (head.strip() or not re.fullmatch(r"[\w+#.-]+", word)):
                body.append(line)
                continue
            body = [*body, head] if closes else body
            if any(body):
                found.append(_fence(language, body, closed=True))
            mark, language, body = ("", "", []) if closes else (runs[0], word, [])
        elif re.fullmatch(r"[\w+#.-]*", word):
            mark, language, body = runs[0], word, []
    if mark:
        found.append(_fence(language, body, closed=False))
    return found


def _fence(language: str, lines: list[str], *, closed: bool) -> Fence:
    return Fence(language, textwrap.dedent("\n".join(lines)).strip("\n") + "\n", closed)
