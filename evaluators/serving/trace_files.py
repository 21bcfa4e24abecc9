"""Reads traces of the user's, in one of three formats that are told apart by the first line.

Azure: CSV with ``TIMESTAMP, ContextTokens, GeneratedTokens`` (the LLM inference traces of 2023 and 2024); times start
at the first request. Mooncake: JSON Lines with ``timestamp`` (milliseconds), ``input_length``, ``output_length`` and,
where known, ``hash_ids``. Ours: CSV with ``arrived_at`` (seconds), ``num_prefill_tokens``, ``num_decode_tokens`` and,
where wanted, ``id``. Columns may stand in any order; further ones are ignored.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import NamedTuple

from evaluators.lines import Line, integer, lines, record, shown, word
from evaluators.serving.trace import PREFIX_BLOCK, Trace
from evaluators.task import TaskError

MAX_LINE = 100_000
MAX_REQUESTS = 1_000_000
MAX_TOKENS = 1_000_000
MAX_SECONDS = 1e9
AZURE = ("TIMESTAMP", "ContextTokens", "GeneratedTokens")
OURS = ("arrived_at", "num_prefill_tokens", "num_decode_tokens")
MOONCAKE = 'expected {"timestamp": 0, "input_length": 900, "output_length": 50}, optionally with "hash_ids"'
EXPECTED = f"expected a CSV file with {', '.join(OURS)}, or with {', '.join(AZURE)}, or Mooncake's JSON Lines"
HINT = "a request takes a line, and a prompt of a million tokens has 2,000 prefix ids"
INSTANT = re.compile(
    r"(\d{4}-\d\d-\d\d)[ T]([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.(\d{1,9}))?(?:Z|\+00:00)?", re.A
)


class Request(NamedTuple):
    """One line of a trace; ``time`` in nanoseconds from any origin, so that differences are exact."""

    id: str
    time: int
    prompt: int
    output: int
    prefix: tuple[int, ...] = ()


def read(path: Path) -> Trace:
    """The trace of a file, in file order. Raises TaskError: the line, what is wrong, what was expected."""
    found = lines(path, MAX_LINE, HINT)
    first = next(found, None)
    if first is None:
        raise TaskError(f"{path} holds no requests; {EXPECTED}")
    if first[1].startswith("{"):
        made = _mooncake(first, found)
    else:
        made = _table(first, found)
    requests: list[Request] = []
    seen: dict[str, int] = {}
    for line, request in made:
        if requests and request.time < requests[-1].time:
            back = (requests[-1].time - request.time) / 1e9
            line.refuse(f"the request arrives {back:g} s before the one above it; sort the file by arrival")
        if request.id in seen:
            line.refuse(f"the id {request.id!r} is used in line {seen[request.id]} already; ids must differ")
        if len(requests) == MAX_REQUESTS:
            line.refuse(f"the file has more than {MAX_REQUESTS} requests; split it")
        seen[request.id] = line.number
        requests.append(request)
    if not requests:
        raise TaskError(f"{path} holds no requests below its header; {EXPECTED}")
    return Trace(
        name=path.name,
        ids=tuple(r.id for r in requests),
        arrivals=tuple(r.time / 1e9 for r in requests),
        prompts=tuple(r.prompt for r in requests),
        outputs=tuple(r.output for r in requests),
        prefixes=tuple(r.prefix for r in requests),
    )


def _table(head: tuple[Line, str], rest: Iterator[tuple[Line, str]]) -> Iterator[tuple[Line, Request]]:
    """The requests of a CSV file, Azure's or ours."""
    names = _cells(*head)
    wanted, instant = (AZURE, _timestamp) if "TIMESTAMP" in names else (OURS, _seconds)
    if missing := [name for name in wanted if name not in names]:
        line, text = head
        line.refuse(f"no column {' and none '.join(map(repr, missing))} in {shown(text)}; {EXPECTED}")
    if twice := [name for name in (*wanted, "id") if names.count(name) > 1]:
        head[0].refuse(f"the column {twice[0]!r} occurs twice")
    places = [names.index(name) for name in wanted]
    origin = None
    own = names.index("id") if "id" in names else None
    for line, text in rest:
        cells = _cells(line, text)
        if len(cells) != len(names):
            line.refuse(f"{len(cells)} values under {len(names)} columns")
        arrived, prompt, output = (cells[place] for place in places)
        time = instant(line, arrived)
        if origin is None:
            origin = time if wanted is AZURE else 0
        name = f"line-{line.number}" if own is None else word(line, {"id": cells[own]}, "id", "")
        yield (
            line,
            Request(
                name,
                time - origin,
                _tokens(line, wanted[1], _number(prompt)),
                _tokens(line, wanted[2], _number(output)),
            ),
        )


def _mooncake(first: tuple[Line, str], rest: Iterator[tuple[Line, str]]) -> Iterator[tuple[Line, Request]]:
    yield first[0], _entry(*first)
    for line, text in rest:
        yield line, _entry(line, text)


def _entry(line: Line, text: str) -> Request:
    """One object of Mooncake's."""
    entry = record(line, text, MOONCAKE, "a count")
    if missing := [key for key in ("timestamp", "input_length", "output_length") if key not in entry]:
        line.refuse(f"{' and '.join(map(repr, missing))} missing; {MOONCAKE}")
    time = entry["timestamp"]
    if isinstance(time, bool) or not isinstance(time, int | float) or not 0 <= time <= MAX_SECONDS * 1e3:
        line.refuse(f"'timestamp' is {shown(time)}; expected milliseconds, 0 to {MAX_SECONDS * 1e3:g}")
    prompt = _tokens(line, "input_length", entry["input_length"])
    prefix = entry.get("hash_ids", [])
    if not isinstance(prefix, list) or any(type(i) is not int or not 0 <= i < 1 << 63 for i in prefix):
        line.refuse("'hash_ids' is not a list of integers from 0 on; leave it out where nothing is known")
    if len(prefix) > (blocks := -(-prompt // PREFIX_BLOCK)):
        line.refuse(
            f"{len(prefix)} hash_ids for {prompt} tokens; expected at most {blocks}, one for {PREFIX_BLOCK} tokens"
        )
    name = word(line, entry, "id", f"line-{line.number}")
    output = _tokens(line, "output_length", entry["output_length"])
    return Request(name, round(time * 1e6), prompt, output, tuple(prefix))


def _cells(line: Line, text: str) -> list[str]:
    try:
        return [cell.strip() for cell in next(csv.reader([text], strict=True))]
    except csv.Error as error:
        line.refuse(f"not CSV ({error}); {EXPECTED}")


def _timestamp(line: Line, text: str) -> int:
    """Nanoseconds since 1970 of a time of Azure's, which has seven decimals."""
    found = INSTANT.fullmatch(text)
    try:
        days = date.fromisoformat(found[1]).toordinal() if found else None
    except ValueError:
        days = None
    if found is None or days is None:
        line.refuse(f"TIMESTAMP is {shown(text)}; expected a time in UTC like 2023-11-16 18:17:03.9799600")
    seconds = ((days * 24 + int(found[2])) * 60 + int(found[3])) * 60 + int(found[4])
    return seconds * 10**9 + int((found[5] or "").ljust(9, "0"))


def _seconds(line: Line, text: str) -> int:
    """Nanoseconds of a number of seconds."""
    value = _number(text)
    if not isinstance(value, int | float) or not 0 <= value <= MAX_SECONDS:
        line.refuse(f"arrived_at is {shown(text)}; expected seconds, 0 to {MAX_SECONDS:g}")
    return round(value * 1e9)


def _number(text: str) -> float | str:
    """The number a cell holds, or the cell itself; words for infinity and what is no number stay words."""
    try:
        value = float(text) if text.isascii() and "_" not in text else math.nan
    except ValueError:
        return text
    return value if math.isfinite(value) else text


def _tokens(line: Line, name: str, value: object) -> int:
    tokens = integer(value)
    if tokens is None or not 1 <= tokens <= MAX_TOKENS:
        line.refuse(f"{name} is {shown(value)}; expected a whole number of tokens, 1 to {MAX_TOKENS}")
    return tokens
