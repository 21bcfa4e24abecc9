"""Search/replace edits in a reply, and the code that they are applied to."""

from __future__ import annotations

from dataclasses import dataclass

from discovery.escape import plain
from discovery.proposers.reply import Unreadable

MAX_EDITS = 40


@dataclass(frozen=True)
class Edit:
    search: tuple[str, ...]
    replace: tuple[str, ...]


def edits_in(text: str) -> list[Edit]:
    """Search/replace blocks. Raises Unreadable when one is torn."""
    if "SEARCH" not in text or "<<<<" not in text:
        return []
    found: list[Edit] = []
    part, search, replace = "", list[str](), list[str]()
    for line in text.split("\n"):
        bare = line.strip()
        if bare.startswith("<<<<") and bare.lstrip("<").strip() == "SEARCH":
            part, search, replace = "search", [], []
        elif part == "search" and len(bare) >= 4 and not bare.strip("="):
            part = "replace"
        elif part == "replace" and bare.startswith(">>>>") and bare.lstrip(">").strip() in ("REPLACE", ""):
            found.append(Edit(_unfenced(search), _unfenced(replace)))
            part = ""
        elif part:
            (search if part == "search" else replace).append(line.rstrip())
    if part:
        missing = "=======" if part == "search" else ">>>>>>> REPLACE"
        raise Unreadable(f"edit block {len(found) + 1} is cut off: it has no {missing}")
    if len(found) > MAX_EDITS:
        raise Unreadable(f"the reply holds {len(found)} edit blocks; at most {MAX_EDITS} are applied")
    return found


def _unfenced(lines: list[str]) -> tuple[str, ...]:
    kept = [line for line in lines if not (line.lstrip().startswith("```") and len(line.split()) == 1)]
    while kept and not kept[0]:
        kept.pop(0)
    while kept and not kept[-1]:
        kept.pop()
    return tuple(kept)


def applied(code: str, edit: Edit, number: int) -> str:
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
