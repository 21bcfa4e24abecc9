"""A cassette: a run's replies in a file, with all that decides its course, so that it can be repeated anywhere.

A file of lines in JSON. The first names the format, its version and the task, and from version 2 on the course: task
options, settings, seeds with their code, the slots of each batch. Each further line is one request: its slot and
attempt, and the reply, or why it was refused or lost. Prompts, keys and addresses are not in it. Whoever reads one
trusts nothing in it.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, BinaryIO, get_args

from db.records import EntryKey, EntryKind
from discovery.budget import Limits
from discovery.config import Settings, masked, recorded_settings
from discovery.errors import UsageError
from discovery.proposers.base import Operator, Reply
from discovery.submissions import Recorded

FORMAT, VERSION = "discover-cassette", 2
Key = tuple[int, int]
"""Slot and attempt."""

LIMITS = frozenset(f.name for f in fields(Limits)) - {"samples", "evaluations"}
"""What cut a run short is in the widths of its batches, so no other limit is needed to repeat it; that of evaluations
also decides how many candidates are tuned."""
OWN = LIMITS | {
    "db", "proposer", "base_url", "api_key_env", "timeout", "in_flight", "templates", "workers", "executor",
    "address", "control", "options", "prices", "wait", "models", "model_choice",
}  # fmt: skip
"""Settings that a replay takes from its own machine, or that have no effect without a model."""
MOST = 1_000_000
"""No count in a file may be larger: slots, batches, islands and trials cost memory or time."""


@dataclass(frozen=True)
class Course:
    """What decided a recorded run besides its replies. ``settings`` are those of this arm alone; ``seeds`` are names
    and code; ``widths`` the slots of each integrated batch; ``digest`` that of the recorded run."""

    options: Mapping[str, str]
    settings: Settings
    seeds: tuple[tuple[str, str], ...]
    operators: frozenset[Operator]
    widths: tuple[int, ...]
    digest: str
    versions: Mapping[str, str] = field(default_factory=dict)
    """Of the evaluator and the packages that can change a score or a draw."""
    submissions: tuple[Recorded, ...] = ()
    """What was handed in from outside the slots."""


@dataclass(frozen=True)
class Cassette:
    """``refused`` and ``lost`` hold the reason of each request without a reply. ``course`` is None in a file of version
    1, which held replies alone."""

    task: str
    replies: Mapping[Key, Reply]
    refused: Mapping[Key, str] = field(default_factory=dict)
    lost: Mapping[Key, str] = field(default_factory=dict)
    course: Course | None = None


# -- writing ----------------------------------------------------------------------------------------------------------


def dumped(cassette: Cassette) -> str:
    """The text of the file."""
    course = cassette.course
    header: dict[str, object] = {"format": FORMAT, "version": VERSION if course else 1, "task": cassette.task}
    lines: dict[Key, dict[str, object]] = {
        key: {n: v for n, v in asdict(reply).items() if v is not None}
        for key, reply in cassette.replies.items()
    }
    lines |= {key: {"refused": reason} for key, reason in cassette.refused.items()}
    lines |= {key: {"lost": reason} for key, reason in cassette.lost.items()}
    if course is not None:
        header |= {
            "requests": len(lines),
            "digest": course.digest,
            "options": dict(course.options),
            "settings": _plain({n: v for n, v in asdict(course.settings).items() if n not in OWN}),
            "operators": sorted(course.operators),
            "widths": list(course.widths),
            "versions": dict(course.versions),
            "seeds": [{"name": name, "code": code} for name, code in course.seeds],
        }
        if course.submissions:
            header["submissions"] = [asdict(s) for s in course.submissions]
    rows = [header, *({"slot": k, "attempt": r, **lines[k, r]} for k, r in sorted(lines))]
    return "".join(json.dumps(row, allow_nan=False) + "\n" for row in rows)


def write_cassette(path: Path, cassette: Cassette) -> bool:
    """Write the file, whole or not at all; False when it is there to the letter already.

    Raises UsageError when ``path`` holds something else or cannot be written."""
    content = dumped(cassette).encode("ascii")
    try:
        if path.is_file() and path.read_bytes() == content:
            return False
        if path.exists():
            raise UsageError(f"{str(path)!r} exists already and is not this cassette; name another file")
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:40]}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"the cassette {path} cannot be written: {error.strerror}") from None
    return True


def _plain(value: Any) -> Any:
    """Plain data for JSON, passwords in URLs masked."""
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in (sorted(value) if isinstance(value, set | frozenset) else value)]
    return masked(value) if isinstance(value, str) else value


# -- reading ----------------------------------------------------------------------------------------------------------


def read_cassette(path: Path) -> Cassette:
    """The recorded run. Raises UsageError naming the line and what is wrong."""
    with _opened(path) as file:
        header = _object(path, 1, file.readline())
        task, course = _head(path, header)
        found = Cassette(task, {}, {}, {}, course)
        seen: set[Key] = set()
        for number, line in enumerate(file, 2):
            if line.strip():
                _request(f"{path}, line {number}", _object(path, number, line), found, seen)
    if course is not None and len(seen) != header["requests"]:
        raise UsageError(
            f"{path} holds {len(seen)} requests and its first line promises {header['requests']}: it was cut off or "
            "changed; record it again"
        )
    return found


def read_course(path: Path) -> Course | None:
    """The course that the first line tells; None for version 1. Raises UsageError."""
    with _opened(path) as file:
        return _head(path, _object(path, 1, file.readline()))[1]


def _opened(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise UsageError(f"the cassette {path} cannot be read: {error.strerror}") from None


def _object(path: Path, number: int, line: bytes) -> dict[str, Any]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise UsageError(f"{path}, line {number}: not a line of JSON (is the file cut off?)") from None
    if not isinstance(data, dict):
        raise UsageError(f"{path}, line {number}: expected an object")
    return data


def _head(path: Path, header: dict[str, Any]) -> tuple[str, Course | None]:
    if header.get("format") != FORMAT:
        raise UsageError(f'{path} is not a cassette: its first line must be {{"format": "{FORMAT}", …}}')
    version = header.get("version")
    if version not in (1, VERSION) or isinstance(version, bool):
        newer = "; a newer version of discover may have made it" if _whole(version) else ""
        raise UsageError(
            f"{path} has cassette version {str(version)[:20]!r}; this program reads 1 and {VERSION}{newer}"
        )
    if not isinstance(header.get("task"), str):
        raise UsageError(f"{path}: the header names no task")
    return header["task"], _course(path, header) if version == VERSION else None


def _course(path: Path, header: Mapping[str, Any]) -> Course:
    for name, sound in _HEADER.items():
        if name not in header or not sound(header[name]):
            shown = str(header.get(name))[:60]
            raise UsageError(f"{path}: the header's {name} is missing or not what it must be ({shown!r})")
    recorded = {name: value for name, value in header["settings"].items() if name not in OWN}
    settings = recorded_settings(recorded, str(path))
    counts = {n: v for n, v in asdict(settings).items() if _whole(v) and n not in ("seed", "evaluations")}
    large = next((n for n, v in counts.items() if v > MOST), None)
    if large is not None:
        raise UsageError(
            f"{path}: the setting {large} is {counts[large]}; at most {MOST} is read from a file"
        )
    widths = tuple(header["widths"])
    if any(w > settings.batch for w in widths):
        raise UsageError(f"{path}: a batch has {max(widths)} slots, more than the setting batch allows")
    return Course(
        options=dict(header["options"]),
        settings=settings,
        seeds=tuple((s["name"], s["code"]) for s in header["seeds"]),
        operators=frozenset(header["operators"]),
        widths=widths,
        digest=header["digest"],
        versions=dict(header["versions"]),
        submissions=_submissions(path, header.get("submissions", [])),
    )


def _submissions(path: Path, rows: object) -> tuple[Recorded, ...]:
    if not isinstance(rows, list) or len(rows) > MOST or not all(_submission(row) for row in rows):
        raise UsageError(f"{path}: the header's submissions are not what they must be")
    return tuple(
        Recorded(**{**row, "parents": tuple(EntryKey(k, kind) for k, kind in row["parents"])}) for row in rows
    )


def _submission(row: object) -> bool:
    if not isinstance(row, dict) or set(row) != {f.name for f in fields(Recorded)}:
        return False
    parents = row["parents"]
    return (
        all(_whole(row[name]) and row[name] <= MOST for name in ("batch", "number"))
        and row["operator"] in _OPERATORS
        and isinstance(row["reason"], str)
        and (row["code"] is None or isinstance(row["code"], str))
        and isinstance(parents, list)
        and len(parents) <= 100
        and all(isinstance(p, list) and len(p) == 2 and _key(*p) for p in parents)
    )


def _key(k: object, kind: object) -> bool:
    return isinstance(k, int) and not isinstance(k, bool) and abs(k) <= MOST and kind in get_args(EntryKind)


def _texts(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str) for v in value.values())


def _seed(value: object) -> bool:
    return isinstance(value, dict) and set(value) == {"name", "code"} and _texts(value)


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _figure(value: object) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    )


_OPERATORS = list(get_args(Operator))
_HEADER: dict[str, Callable[[Any], bool]] = {
    "requests": _whole,
    "digest": lambda v: isinstance(v, str),
    "options": _texts,
    "settings": lambda v: isinstance(v, dict),
    "operators": lambda v: isinstance(v, list) and all(o in _OPERATORS for o in v),
    "widths": lambda v: isinstance(v, list) and len(v) <= MOST and all(_whole(w) for w in v),
    "versions": _texts,
    "seeds": lambda v: isinstance(v, list) and 0 < len(v) <= 1000 and all(_seed(s) for s in v),
}
_FIELDS: dict[str, Callable[[Any], bool]] = {
    "text": lambda v: isinstance(v, str),
    "model": lambda v: isinstance(v, str),
    "prompt_tokens": lambda v: v is None or _whole(v),
    "completion_tokens": lambda v: v is None or _whole(v),
    "cost": lambda v: v is None or _figure(v),
    "finish": lambda v: v is None or isinstance(v, str),
    "seconds": _figure,
}


def _request(place: str, data: dict[str, Any], found: Cassette, seen: set[Key]) -> None:
    """Enter one line into ``found``."""
    slot, attempt = data.pop("slot", None), data.pop("attempt", None)
    if not _whole(slot) or not _whole(attempt) or max(slot, attempt) > MOST:
        raise UsageError(f"{place}: slot and attempt must be whole numbers from 0")
    key = (slot, attempt)
    if key in seen:
        raise UsageError(f"{place}: slot {slot}, attempt {attempt} is recorded twice")
    seen.add(key)
    for kind, into in (("refused", found.refused), ("lost", found.lost)):
        if kind in data:
            if set(data) != {kind} or not isinstance(data[kind], str):
                raise UsageError(f"{place}: a {kind} request has a reason and nothing else")
            assert isinstance(into, dict)
            into[key] = data[kind]
            return
    assert isinstance(found.replies, dict)
    found.replies[key] = _reply(place, data)


def _reply(place: str, data: dict[str, Any]) -> Reply:
    unknown = set(data) - set(_FIELDS)
    if unknown:
        raise UsageError(f"{place}: unknown field {min(unknown)[:40]!r}")
    for name in ("text", "model"):
        if name not in data:
            raise UsageError(f"{place}: the field {name!r} is missing")
    for name, value in data.items():
        if not _FIELDS[name](value):
            raise UsageError(f"{place}: {name} = {str(value)[:60]!r} is not what it must be")
    return Reply(**data)
