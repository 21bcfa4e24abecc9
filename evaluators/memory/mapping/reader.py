"""The user's own programs: JSON Lines, or a CSV file of buffers with ``id``, ``lower``, ``upper`` and ``size``. A file
is hostile until read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from evaluators import lines
from evaluators.memory import reader as buffers_reader
from evaluators.memory.buffers import Buffers
from evaluators.memory.mapping.program import (
    INPUT,
    MAX_BANDWIDTH,
    MAX_BUFFERS,
    MAX_BYTES,
    MAX_OPS,
    MAX_TIME,
    Buffer,
    Machine,
    Program,
    wrong,
)
from evaluators.memory.mapping.splits import instance
from evaluators.task import Instance, InstanceSet, TaskError

LONGEST_LINE, MOST_PROGRAMS = 4_000_000, 10_000
EXPECTED = 'expected {"compute": [900, 400], "buffers": [{"size": 4096, "producer": 0, "uses": [1]}]}'
MACHINE = {"capacity": MAX_BYTES, "slow": MAX_BANDWIDTH, "fast": MAX_BANDWIDTH, "copy": MAX_BANDWIDTH}
KNOWN = {"id", "class", "compute", "flops", "peak", "buffers", *MACHINE}
OF_BUFFER = {"name", "size", "producer", "uses", "output"}
MAX_FLOPS = 10**18


def read(path: Path, machine: Machine) -> InstanceSet:
    """Every program of the file in its order; a name that ends in ``.csv`` tells a file of buffers, which is one
    program. ``machine`` is that of a program that does not tell its own. Raises TaskError with the line and what is
    wrong."""
    if path.suffix.lower() == ".csv":
        return _buffers(path, machine)
    return lines.collect(path, _programs(path, machine), MOST_PROGRAMS, EXPECTED)


# -- JSON Lines -------------------------------------------------------------------------------------------------------


def _programs(path: Path, machine: Machine) -> Iterator[tuple[lines.Line, Instance]]:
    for line, text in lines.lines(path, LONGEST_LINE, "a line is one program"):
        found = lines.record(line, text, EXPECTED, "a size or a time")
        _only(line, found, KNOWN, "the program")
        told = {
            name: _whole(line, found[name], name, 1, most) for name, most in MACHINE.items() if name in found
        }
        compute = _compute(line, found)
        rows = found.get("buffers")
        if not isinstance(rows, list) or not rows:
            line.refuse(f"'buffers' is {lines.shown(rows)}; expected a list of objects")
        if len(rows) > MAX_BUFFERS:
            line.refuse(f"the program has {len(rows)} buffers; expected 1 to {MAX_BUFFERS}")
        buffers = tuple(_buffer(line, number, row) for number, row in enumerate(rows))
        program = Program(replace(machine, **told), compute, buffers)
        if (reason := wrong(compute, buffers)) is not None:
            line.refuse(reason)
        id_ = lines.word(line, found, "id", str(line.number))
        yield line, instance(id_, lines.word(line, found, "class", "mine"), program)


def _compute(line: lines.Line, found: Mapping[str, Any]) -> tuple[int, ...]:
    """Computing times in ns: as they are told, or from operation counts and the operations in a nanosecond."""
    if ("compute" in found) == ("flops" in found):
        line.refuse(
            "a program has 'compute', in nanoseconds, or 'flops' with 'peak', in operations a nanosecond"
        )
    if "compute" in found:
        return _list(line, found["compute"], "compute", MAX_TIME)
    peak = _whole(line, found.get("peak"), "peak", 1, MAX_FLOPS)
    return tuple(-(-flops // peak) for flops in _list(line, found["flops"], "flops", MAX_FLOPS))


def _buffer(line: lines.Line, number: int, row: object) -> Buffer:
    what = f"buffer {number}"
    if not isinstance(row, dict):
        line.refuse(f"{what} is {lines.shown(row)}; expected an object with size, producer and uses")
    _only(line, row, OF_BUFFER, what)
    producer, output = row.get("producer"), row.get("output", False)
    if not isinstance(output, bool):
        line.refuse(f"{what}: 'output' is {lines.shown(output)}; expected true or false")
    return Buffer(
        size=_whole(line, row.get("size"), f"{what}: 'size'", 1, MAX_BYTES),
        producer=INPUT if producer is None else _whole(line, producer, f"{what}: 'producer'", 0, MAX_OPS),
        uses=_list(line, row.get("uses", []), f"{what}: 'uses'", MAX_OPS),
        output=output,
    )


def _only(line: lines.Line, found: Mapping[str, Any], known: set[str], what: str) -> None:
    for name in found:
        if name not in known:
            line.refuse(f"{what} has {lines.shown(name)}, which is none of {', '.join(sorted(known))}")


def _list(line: lines.Line, given: object, what: str, most: int) -> tuple[int, ...]:
    if not isinstance(given, list):
        line.refuse(f"{what} is {lines.shown(given)}; expected a list of whole numbers")
    return tuple(_whole(line, one, what, 0, most) for one in given)


def _whole(line: lines.Line, given: object, what: str, low: int, most: int) -> int:
    number = lines.integer(given)
    if number is None or not low <= number <= most:
        line.refuse(f"{what} is {lines.shown(given)}; expected a whole number from {low} to {most}")
    return number


# -- buffers ----------------------------------------------------------------------------------------------------------


def _buffers(path: Path, machine: Machine) -> InstanceSet:
    """One program: an operation, without computing time, wherever a buffer is first or last alive. It writes those
    that begin then and reads those that end. A buffer that is alive for one operation alone is read by nobody."""
    name, found = buffers_reader.read(path)
    program = from_buffers(found, machine)
    if (reason := wrong(program.compute, program.buffers)) is not None:
        raise TaskError(f"{path}: {reason}")
    return InstanceSet(path.name, (instance(name, "mine", program),))


def from_buffers(found: Buffers, machine: Machine) -> Program:
    """See :func:`_buffers`; times are numbered in their order."""
    lower, last = found.lower.tolist(), (found.upper - 1).tolist()
    number = {time: op for op, time in enumerate(sorted({*lower, *last}))}
    buffers = tuple(
        Buffer(size, number[begin], (number[end],) if end > begin else ())
        for size, begin, end in zip(found.size.tolist(), lower, last, strict=True)
    )
    return Program(machine, (0,) * len(number), buffers)
