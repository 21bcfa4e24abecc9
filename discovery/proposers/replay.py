"""Recorded replies in place of a model: the same run again, offline and free.

A cassette is a file of lines in JSON. The first names the format, its version and the task; each further line is one
reply with its slot and attempt. Replies of a refused or lost request are simply absent.
"""

from __future__ import annotations

import json
import math
import os
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from discovery.errors import UsageError
from discovery.proposers.base import (
    WRITES,
    Message,
    Operator,
    ProposerNoReply,
    ProposerRefused,
    Reply,
    Request,
)

FORMAT, VERSION = "discover-cassette", 1


class ReplayProposer:
    """Answers by slot and attempt. A replay spends nothing: tokens, cost and time of its replies are 0."""

    name = "replay"
    model: str | None = None
    most_tokens = 0
    paid = False

    def __init__(
        self,
        recorded: Mapping[tuple[int, int], Reply],
        lost: frozenset[tuple[int, int]] = frozenset(),
        operators: frozenset[Operator] = WRITES,
    ) -> None:
        """``lost`` are requests that got no reply when they were recorded; ``operators`` those of the proposer that
        gave the replies."""
        self._recorded, self._lost, self.operators = dict(recorded), lost, operators

    def prompt(self, request: Request) -> tuple[Message, ...]:  # noqa: ARG002
        return ()

    def reserve(self, messages: tuple[Message, ...]) -> int:  # noqa: ARG002
        return 0

    def ask(self, request: Request, messages: tuple[Message, ...]) -> Reply:  # noqa: ARG002
        """The recorded reply. Raises ProposerRefused when there is none."""
        reply = self._recorded.get((request.slot, request.attempt))
        if (request.slot, request.attempt) in self._lost:
            raise ProposerNoReply("there was no reply when this was recorded")
        if reply is None:
            raise ProposerRefused(
                f"the recording has no reply for slot {request.slot}, attempt {request.attempt} "
                f"(it holds {len(self._recorded)} replies)"
            )
        return replace(reply, prompt_tokens=0, completion_tokens=0, cost=0.0, seconds=0.0)


@dataclass(frozen=True)
class Cassette:
    task: str
    replies: Mapping[tuple[int, int], Reply]


def write_cassette(path: Path, task: str, replies: Mapping[tuple[int, int], Reply]) -> None:
    """Write all replies in order of slot and attempt, whole or not at all. Raises UsageError when ``path`` cannot be
    written."""
    lines = [json.dumps({"format": FORMAT, "version": VERSION, "task": task})]
    for (slot, attempt), reply in sorted(replies.items(), key=lambda item: item[0]):
        lines.append(json.dumps({"slot": slot, "attempt": attempt, **asdict(reply)}))
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise UsageError(f"the cassette {path} cannot be written: {error.strerror}") from None


def read_cassette(path: Path) -> Cassette:
    """The recorded replies. Raises UsageError naming the line and what is wrong."""
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise UsageError(f"the cassette {path} cannot be read: {error.strerror}") from None
    header = _object(path, 1, lines[0])
    if header.get("format") != FORMAT:
        raise UsageError(f'{path} is not a cassette: its first line must be {{"format": "{FORMAT}", …}}')
    if header.get("version") != VERSION:
        raise UsageError(
            f"{path} has cassette version {header.get('version')!r}; this program reads version {VERSION}"
        )
    task = header.get("task")
    if not isinstance(task, str):
        raise UsageError(f"{path}: the header names no task")
    replies: dict[tuple[int, int], Reply] = {}
    for number, line in enumerate(lines[1:], 2):
        if line.strip():
            key, reply = _reply(path, number, _object(path, number, line))
            if key in replies:
                raise UsageError(f"{path}, line {number}: slot {key[0]}, attempt {key[1]} is recorded twice")
            replies[key] = reply
    return Cassette(task, replies)


def _object(path: Path, number: int, line: bytes) -> dict[str, object]:
    try:
        data = json.loads(line)
    except (ValueError, RecursionError):
        raise UsageError(f"{path}, line {number}: not a line of JSON (is the file cut off?)") from None
    if not isinstance(data, dict):
        raise UsageError(f"{path}, line {number}: expected an object")
    return data


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _figure(value: object) -> bool:
    return (
        isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    )


def _reply(path: Path, number: int, data: dict[str, object]) -> tuple[tuple[int, int], Reply]:
    place = f"{path}, line {number}"
    slot, attempt = data.pop("slot", None), data.pop("attempt", None)
    if not _whole(slot) or not _whole(attempt):
        raise UsageError(f"{place}: slot and attempt must be whole numbers from 0")
    unknown = set(data) - {f.name for f in fields(Reply)}
    if unknown:
        raise UsageError(f"{place}: unknown field {sorted(unknown)[0]!r}")
    sound = {
        "text": lambda v: isinstance(v, str),
        "model": lambda v: isinstance(v, str),
        "prompt_tokens": lambda v: v is None or _whole(v),
        "completion_tokens": lambda v: v is None or _whole(v),
        "cost": lambda v: v is None or _figure(v),
        "finish": lambda v: v is None or isinstance(v, str),
        "seconds": _figure,
    }
    for name in ("text", "model"):
        if name not in data:
            raise UsageError(f"{place}: the field {name!r} is missing")
    for name, value in data.items():
        if not sound[name](value):
            raise UsageError(f"{place}: {name} = {str(value)[:60]!r} is not what it must be")
    assert isinstance(slot, int) and isinstance(attempt, int)
    return (slot, attempt), Reply(**data)  # type: ignore[arg-type]
