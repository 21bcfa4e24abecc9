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

from discovery.candidate import MAX_BYTES, Candidate, Refused, check, parse
from discovery.escape import plain
from discovery.proposers.edits import applied, edits_in
from discovery.proposers.habits import Unfit, tidy
from discovery.proposers.reply import RUN, Unreadable, answered, fenced_blocks
from evaluators.task import Interface

MAX_REPLY = 4_000_000
MAX_FENCES = 12
MAX_PARSES = 40

__all__ = ["Unreadable", "candidate_text", "read_candidate"]

_PYTHON = frozenset(["", "python", "py", "python3", "py3", "ipython", "ipython3", "sage", "pyi"])
_CODE_LINE = re.compile(
    r"(?:import [\w.]+(?: as \w+)?(?:, ?[\w.]+(?: as \w+)?){0,9} {0,4}(?:#.*)?$|from [\w.]+ import \S"
    r"|def \w+ {0,2}\(|class \w+[(:]|SEARCH_SPACE {0,4}[:=]|[A-Z_][A-Z0-9_]* = |@\w)"
)
_SPACES = dict.fromkeys(map(ord, "\u00a0\u2007\u202f\u3000\u2002\u2003\u2009"), " ")
_SPACES |= dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff"), "")
_QUOTES = dict(zip(map(ord, "‘’‚“”„′″–−×"), "'''\"\"\"'\"--*", strict=True))


def candidate_text(reply: str, parents: Sequence[str], interface: Interface) -> str:
    """The candidate in ``reply``; edits apply to ``parents[0]``. Raises Unreadable."""
    return _Reader(interface, tuple(parents)).read(reply)


def read_candidate(reply: str, parents: Sequence[str], interface: Interface) -> Candidate:
    """The candidate in ``reply``, checked. Raises Unreadable as :func:`candidate_text` does, Refused as the check."""
    reader = _Reader(interface, tuple(parents))
    text = reader.read(reply)
    return check(text, interface, reader.trees.get(text))


def _at_the_end(reason: str, code: str) -> bool:
    """Whether a syntax error lies where the text ends: only then is a missing end its likely cause."""
    found = re.match(r"syntax error in line (\d+)", reason)
    return found is not None and int(found[1]) >= len(code.rstrip().split("\n"))


class _Reader:
    def __init__(self, interface: Interface, parents: tuple[str, ...]) -> None:
        self.interface, self.parents = interface, parents
        self.hooks = interface.hook_names
        self.parses = MAX_PARSES
        self.trees: dict[str, ast.Module] = {}
        """Of the texts that were parsed, so that none is parsed twice."""
        self.defines = re.compile(rf"^[ \t]*def[ \t]+{re.escape(interface.function)}[ \t]*\(", re.M)

    def read(self, reply: str) -> str:
        if len(reply) > MAX_REPLY:
            raise Unreadable(f"the reply has {len(reply)} characters; at most {MAX_REPLY} are read")
        text = reply.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")
        try:
            return self.module(text, cut=False, whole=True)
        except Unreadable as error:
            large = error if self.defines.match(text) else None
        text = answered(text)
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
        tree = self.trees[code] = self.trees.get(code) or parse(code)
        return tree

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
            if lost & (used | self.hooks) or not _complete(tree):
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
        edits = edits_in(text)
        if not edits:
            return None
        if not self.parents:
            raise Unreadable("the reply holds search/replace edits, but there is no parent to edit")
        code = self.parents[0].replace("\r\n", "\n").replace("\r", "\n")
        for number, edit in enumerate(edits, 1):
            code = applied(code, edit, number)
        return self.module(code, cut=False)

    def fenced(self, text: str) -> str | None:
        fences = fenced_blocks(text)
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
        tree = self.trees.get(code) or parse(code)
        bound = _bound(tree)
        loads = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
        for other in others[:MAX_FENCES]:
            try:
                piece = self.parse(other)
            except Refused:
                continue
            names = _bound(piece, imports=False)
            kinds = (ast.Import, ast.ImportFrom, ast.Assign, ast.FunctionDef)
            needed = names & (loads | {"SEARCH_SPACE"} | self.hooks)
            if needed and not names & bound and all(isinstance(s, kinds) for s in piece.body):
                try:
                    code = self.module(other.rstrip("\n") + "\n\n\n" + code, cut=False, whole=True)
                except Unreadable:
                    continue
                bound |= names
        return code

    def in_json(self, text: str) -> str | None:
        pieces = [f.code for f in fenced_blocks(text) if f.language in ("json", "")] or [text]
        for piece in pieces[:MAX_FENCES]:
            if not piece.lstrip().startswith("{"):
                continue
            try:
                data = json.loads(piece)
            except (ValueError, RecursionError):
                continue
            for value in data.values() if isinstance(data, dict) else ():
                if isinstance(value, str) and "def " in value:
                    fences = fenced_blocks(value)
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
            code = "\n".join(line for line in lines[start:] if not RUN.match(line.strip()))
            code = code if len(code) <= MAX_BYTES else code[:MAX_BYTES]
            try:
                return self.module(code, cut=True)
            except Unreadable as error:
                reason = error
        assert reason is not None
        raise reason


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
