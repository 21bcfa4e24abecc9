"""The one way from a reply to candidate text, for every proposer.

A reply is tried as plain Python, then without its reasoning as search/replace edits of the first parent, as fenced
code, as code in JSON, and as code between lines of prose. Everything goes by :mod:`ast`, nothing is executed, and
the work is bounded: lines are scanned once and at most :data:`MAX_PARSES` pieces of at most 32 KB are parsed.
"""

from __future__ import annotations

import ast
import html
import json
import re
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from discovery.candidate import MAX_BYTES, Refused, parse
from discovery.escape import plain
from discovery.proposers.habits import Unfit, tidy
from evaluators.task import Interface

MAX_REPLY = 4_000_000
MAX_FENCES = 12
MAX_PARSES = 40
MAX_EDITS = 40

_REASONING = re.compile(
    r"<(/?)(?:think|thinking|thought|thoughts|reasoning|reflection|analysis|scratchpad)>", re.I
)
_CHANNEL = re.compile(r"<\|channel\|>\s{0,8}(\w{1,20})[^<\n]{0,80}<\|message\|>")
_END = re.compile(r"<\|(?:end|return|start|call)\|>")
_TOKEN = re.compile(r"<[|｜][\w▁/ ]{1,40}[|｜]>")
_RUN = re.compile(r"`{3,}|~{3,}")
_PYTHON = frozenset(["", "python", "py", "python3", "py3", "ipython", "ipython3", "sage", "pyi"])
_CODE_LINE = re.compile(
    r"(?:import [\w.]+(?: as \w+)?(?:, ?[\w.]+(?: as \w+)?){0,9} {0,4}(?:#.*)?$|from [\w.]+ import \S"
    r"|def \w+ {0,2}\(|class \w+[(:]|SEARCH_SPACE {0,4}[:=]|[A-Z_][A-Z0-9_]* = |@\w)"
)
_SPACES = dict.fromkeys(map(ord, "\u00a0\u2007\u202f\u3000\u2002\u2003\u2009"), " ")
_SPACES |= dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"), "")
_QUOTES = dict(zip(map(ord, "‘’‚“”„′″–−×"), "'''\"\"\"'\"--*", strict=True))


class Unreadable(Exception):
    """The reply holds no candidate; the message is the reason, one sentence, fit for the next prompt."""


@dataclass(frozen=True)
class _Fence:
    language: str
    code: str
    closed: bool


@dataclass(frozen=True)
class _Edit:
    search: tuple[str, ...]
    replace: tuple[str, ...]


def candidate_text(reply: str, parents: Sequence[str], interface: Interface) -> str:
    """The candidate in ``reply``; edits apply to ``parents[0]``. Raises Unreadable."""
    if len(reply) > MAX_REPLY:
        raise Unreadable(f"the reply has {len(reply)} characters; at most {MAX_REPLY} are read")
    text = reply.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
    return _Reader(interface, tuple(parents)).read(text)


def _at_the_end(reason: str, code: str) -> bool:
    """Whether a syntax error lies where the text ends: only then is a missing end its likely cause."""
    found = re.match(r"syntax error in line (\d+)", reason)
    return found is not None and int(found[1]) >= len(code.rstrip().split("\n"))


class _Reader:
    def __init__(self, interface: Interface, parents: tuple[str, ...]) -> None:
        self.interface, self.parents = interface, parents
        self.parses = MAX_PARSES
        self.defines = re.compile(rf"^[ \t]*def[ \t]+{re.escape(interface.function)}[ \t]*\(", re.M)

    def read(self, text: str) -> str:
        try:
            return self.module(text, cut=False, whole=True)
        except Unreadable as error:
            large = error if self.defines.match(text) else None
        text = _answer(text)
        reasons: list[Unreadable] = []
        for way in (self.edited, self.fenced, self.in_json, self.between_prose):
            try:
                found = way(text)
            except Unreadable as error:
                reasons.append(error)
                if way != self.edited:
                    break
                continue
            if found is not None:
                return found
        raise (reasons or [large] if large else reasons or [_no_code(text)])[0]

    # --- a piece of text that should be a module ---

    def module(self, code: str, *, cut: bool, whole: bool = False) -> str:
        """``code`` as a candidate. ``cut``: its end may be missing; ``whole``: nothing may be left out of it."""
        code = code if code.endswith("\n") else code + "\n"
        first: Unreadable | None = None
        for spelling in _spellings(code):
            try:
                tree = self.parse(spelling)
            except Refused as refused:
                first = first or Unreadable(str(refused))
                continue
            if cut and not _complete(tree):
                raise Unreadable(self.cut_off())
            return self.tidied(spelling, tree)
        assert first is not None
        salvaged = None if whole else next(filter(None, map(self.salvaged, list(_spellings(code))[:2])), None)
        if salvaged is not None:
            return salvaged
        raise Unreadable(self.cut_off()) if cut and _at_the_end(str(first), code) else first

    def parse(self, code: str) -> ast.Module:
        if self.parses <= 0:
            raise Refused("the reply holds too many pieces of code; give one complete function")
        self.parses -= 1
        return parse(code)

    def tidied(self, code: str, tree: ast.Module) -> str:
        try:
            return tidy(code, tree, self.interface)
        except Unfit as unfit:
            raise Unreadable(str(unfit)) from None

    def cut_off(self) -> str:
        return f"the reply is cut off before the end of {self.interface.function!r}; write a shorter function"

    def salvaged(self, code: str) -> str | None:
        """The longest beginning of ``code``, up to a top-level line, that parses and holds the whole function."""
        for _ in range(8):
            line = self.error_line(code)
            if line is None:
                break
            lines = code.split("\n")
            at = min(line, len(lines)) - 1
            while at > 0 and (not lines[at].strip() or lines[at][0] in " \t)]}#"):
                at -= 1
            kept, dropped = "\n".join(lines[:at]) + "\n", "\n".join(lines[at:])
            if at == 0 or not self.defines.search(kept):
                return None
            try:
                tree = self.parse(kept)
            except Refused:
                code = kept
                continue
            lost = set(re.findall(r"^(?:def |class )?(\w+)[ \t]*[(:=]", dropped, re.M))
            used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
            if lost & used or not _complete(tree):
                return None
            return self.tidied(kept, tree)
        return None

    def error_line(self, code: str) -> int | None:
        if self.parses <= 0:
            return None
        try:
            self.parse(code)
        except Refused as refused:
            match = re.match(r"syntax error in line (\d+)", str(refused))
            return int(match[1]) if match else None
        return None

    # --- the ways code comes in a reply ---

    def edited(self, text: str) -> str | None:
        edits = _edits(text)
        if not edits:
            return None
        if not self.parents:
            raise Unreadable("the reply holds search/replace edits, but there is no parent to edit")
        code = self.parents[0].replace("\r\n", "\n").replace("\r", "\n")
        for number, edit in enumerate(edits, 1):
            code = _applied(code, edit, number)
        return self.module(code, cut=False)

    def fenced(self, text: str) -> str | None:
        fences = _fences(text)
        if not fences:
            return None
        defining = [bool(self.defines.search(f.code)) for f in fences]
        rank = [
            (d, f.closed, f.language in _PYTHON, i)
            for i, (d, f) in enumerate(zip(defining, fences, strict=True))
        ]
        order = [r[-1] for r in sorted(rank, reverse=True)][:MAX_FENCES]
        reasons: list[Unreadable] = []
        for i in order:
            fence = fences[i]
            if not defining[i] and "def " not in fence.code:
                continue
            try:
                code = self.module(fence.code, cut=not fence.closed)
            except Unreadable as error:
                if fence.language in _PYTHON or defining[i]:
                    reasons.append(error)
                continue
            return self.completed(code, [f.code for j, f in enumerate(fences) if j != i and f.closed])
        foreign = sorted({f.language for f in fences} - _PYTHON - {"json", "text", "markdown", "md"})
        if reasons:
            raise reasons[0]
        if not fences[-1].closed and fences[-1].language in _PYTHON and len(fences[-1].code) > 1:
            raise Unreadable(self.cut_off())
        if foreign and not self.defines.search(text):
            raise Unreadable(f"the code is in {plain(', '.join(foreign), limit=40)}; only Python is accepted")
        return None

    def completed(self, code: str, others: list[str]) -> str:
        """``code`` with definitions it needs and that the reply put into another fence before or after it."""
        tree = parse(code)
        bound = _bound(tree)
        loads = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        for other in others[:MAX_FENCES]:
            try:
                piece = self.parse(other)
            except Refused:
                continue
            names = _bound(piece, imports=False)
            kinds = (ast.Import, ast.ImportFrom, ast.Assign, ast.FunctionDef)
            needed = names & (loads | {"SEARCH_SPACE"})
            if needed and not names & bound and all(isinstance(s, kinds) for s in piece.body):
                try:
                    code = self.module(other.rstrip("\n") + "\n\n\n" + code, cut=False, whole=True)
                except Unreadable:
                    continue
                bound |= names
        return code

    def in_json(self, text: str) -> str | None:
        pieces = [f.code for f in _fences(text) if f.language in ("json", "")] or [text]
        for piece in pieces[:MAX_FENCES]:
            if not piece.lstrip().startswith("{"):
                continue
            try:
                data = json.loads(piece)
            except (ValueError, RecursionError):
                continue
            for value in data.values() if isinstance(data, dict) else ():
                if isinstance(value, str) and "def " in value:
                    fences = _fences(value)
                    return self.fenced(value) if fences else self.module(value, cut=False)
        return None

    def between_prose(self, text: str) -> str | None:
        lines = text.split("\n")
        named = next((i for i, line in enumerate(lines) if self.defines.match(line)), None)
        if named is None:
            named = next((i for i, line in enumerate(lines) if re.match(r"[ \t]*def \w+ ?\(", line)), None)
        if named is None:
            return None
        indent = len(lines[named]) - len(lines[named].lstrip())
        starts = [i for i in range(named) if _CODE_LINE.match(lines[i])][:4]
        classes = [i for i in starts if lines[i].startswith("class ")]
        if indent and not classes:
            block = textwrap.dedent("\n".join(_indented(lines, named, indent)))
            return self.module(block, cut=True)
        reason: Unreadable | None = None
        for start in starts if indent else [*starts, named]:
            code = "\n".join(line for line in lines[start:] if not _RUN.match(line.strip()))
            code = code if len(code) <= MAX_BYTES else code[:MAX_BYTES]
            try:
                return self.module(code, cut=True)
            except Unreadable as error:
                reason = error
        assert reason is not None
        raise reason


def _answer(text: str) -> str:
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


def _no_code(text: str) -> Unreadable:
    said = plain(" ".join(text[:400].split()), limit=100)
    return Unreadable(f"the reply holds no Python code; it says: {said}" if said else "the reply is empty")


def _spellings(code: str) -> Iterator[str]:
    """``code`` as it is, then with characters put right that editors and chat pages put wrong."""
    yield code
    if len(code) > MAX_BYTES:
        return
    spaced = "\n".join(_untabbed(line) for line in code.translate(_SPACES).split("\n"))
    seen = {code}
    for variant in (spaced, spaced.translate(_QUOTES), html.unescape(spaced) if "&" in spaced else spaced):
        if variant not in seen:
            seen.add(variant)
            yield variant


def _untabbed(line: str) -> str:
    body = line.lstrip(" \t")
    return line[: len(line) - len(body)].expandtabs(4) + body


def _complete(tree: ast.Module) -> bool:
    """Whether the text ends where a function can end. Only the last statement can be a torn one."""
    last = tree.body[-1] if tree.body else None
    return not isinstance(last, ast.FunctionDef) or _leaves(last.body)


def _leaves(body: list[ast.stmt]) -> bool:
    """Whether a block cannot run past its end, so that nothing is missing after it."""
    last = body[-1]
    if isinstance(last, ast.Return | ast.Raise):
        return True
    if isinstance(last, ast.If):
        return bool(last.orelse) and _leaves(last.body) and _leaves(last.orelse)
    if isinstance(last, ast.With):
        return _leaves(last.body)
    if isinstance(last, ast.Try):
        return _leaves(last.body) and all(_leaves(h.body) for h in last.handlers)
    return isinstance(last, ast.While) and isinstance(last.test, ast.Constant) and bool(last.test.value)


def _bound(tree: ast.Module, *, imports: bool = True) -> set[str]:
    names: set[str] = set()
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef | ast.ClassDef):
            names.add(statement.name)
        elif isinstance(statement, ast.Import | ast.ImportFrom):
            names |= {(a.asname or a.name).split(".")[0] for a in statement.names if imports}
        else:
            names |= {
                n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            }
    return names


def _indented(lines: list[str], start: int, indent: int) -> list[str]:
    first = start
    while first and (not lines[first - 1].strip() or lines[first - 1][:indent].isspace()):
        first -= 1
    last = start
    while last < len(lines) and (not lines[last].strip() or lines[last][:indent].isspace()):
        last += 1
    return lines[first:last]


def _fences(text: str) -> list[_Fence]:
    """Fenced blocks in order: closed or cut off, indented, opened or closed at the end of a line of text."""
    found: list[_Fence] = []
    mark, language, body = "", "", list[str]()
    for line in text.split("\n"):
        runs = _RUN.findall(line) if "```" in line or "~~~" in line else []
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


def _fence(language: str, lines: list[str], *, closed: bool) -> _Fence:
    return _Fence(language, textwrap.dedent("\n".join(lines)).strip("\n") + "\n", closed)


def _edits(text: str) -> list[_Edit]:
    """Search/replace blocks. Raises Unreadable when one is torn."""
    if "SEARCH" not in text or "<<<<" not in text:
        return []
    edits: list[_Edit] = []
    part, search, replace = "", list[str](), list[str]()
    for line in text.split("\n"):
        bare = line.strip()
        if bare.startswith("<<<<") and bare.lstrip("<").strip() == "SEARCH":
            part, search, replace = "search", [], []
        elif part == "search" and len(bare) >= 4 and not bare.strip("="):
            part = "replace"
        elif part == "replace" and bare.startswith(">>>>") and bare.lstrip(">").strip() in ("REPLACE", ""):
            edits.append(_Edit(_unfenced(search), _unfenced(replace)))
            part = ""
        elif part:
            (search if part == "search" else replace).append(line.rstrip())
    if part:
        missing = "=======" if part == "search" else ">>>>>>> REPLACE"
        raise Unreadable(f"edit block {len(edits) + 1} is cut off: it has no {missing}")
    if len(edits) > MAX_EDITS:
        raise Unreadable(f"the reply holds {len(edits)} edit blocks; at most {MAX_EDITS} are applied")
    return edits


def _unfenced(lines: list[str]) -> tuple[str, ...]:
    kept = [line for line in lines if not (line.lstrip().startswith("```") and len(line.split()) == 1)]
    while kept and not kept[0]:
        kept.pop(0)
    while kept and not kept[-1]:
        kept.pop()
    return tuple(kept)


def _applied(code: str, edit: _Edit, number: int) -> str:
    """``code`` after one edit: lines compared without trailing blanks, then without a common indentation shift, then
    (for one line) as a piece of a line."""
    if not edit.search:
        raise Unreadable(f"edit block {number} has an empty SEARCH part")
    lines = [line.rstrip() for line in code.split("\n")]
    shown = plain(edit.search[0].strip(), limit=60)
    places = _places(lines, list(edit.search))
    shift = 0
    if not places:
        places = _places([line.lstrip() for line in lines], [line.lstrip() for line in edit.search])
        shifts = {place: _shift(lines[place : place + len(edit.search)], edit.search) for place in places}
        places = [place for place in places if shifts[place] is not None]
        shift = (shifts[places[0]] or 0) if places else 0
    if len(places) > 1:
        raise Unreadable(
            f"edit block {number} is ambiguous: {shown!r} occurs more than once; search for more lines"
        )
    if places:
        new = [_shifted(line, shift) for line in edit.replace]
        return "\n".join([*lines[: places[0]], *new, *lines[places[0] + len(edit.search) :]])
    needle = edit.search[0].strip()
    if len(edit.search) == 1 and len(edit.replace) <= 1 and code.count(needle) == 1:
        return code.replace(needle, edit.replace[0].strip() if edit.replace else "")
    raise Unreadable(f"edit block {number} does not apply: its SEARCH text ({shown!r}) is not in the parent")


def _places(lines: list[str], wanted: list[str]) -> list[int]:
    """Where ``wanted`` occurs in ``lines``, the first 16 places, by one linear search of text."""
    text, needle = "\n" + "\n".join(lines) + "\n", "\n" + "\n".join(wanted) + "\n"
    found: list[int] = []
    at = text.find(needle)
    while at >= 0 and len(found) < 16:
        found.append(text.count("\n", 0, at))
        at = text.find(needle, at + 1)
    return found


def _shift(lines: list[str], wanted: tuple[str, ...]) -> int | None:
    """By how many columns ``lines`` stand further right than ``wanted``; None when not all by the same."""
    pairs = [(a, b) for a, b in zip(lines, wanted, strict=True) if a]
    shifts = {(len(a) - len(a.lstrip())) - (len(b) - len(b.lstrip())) for a, b in pairs}
    return shifts.pop() if len(shifts) == 1 else None


def _shifted(line: str, shift: int) -> str:
    if shift >= 0:
        return " " * shift + line if line else line
    return line[min(-shift, len(line) - len(line.lstrip())) :]
