"""A compiled tensor program on a machine with two memories: operations in schedule order, and the buffers that they
write and read.

An operation computes for a time that is known. A buffer has a size, one producer (or none: an input, which lies in
slow memory from the beginning) and uses, operations that read it. Between two accesses of a buffer that follow one
another lies a *segment*: the mapping decides for each where the buffer waits for its next use. Times are whole
nanoseconds, sizes bytes and bandwidths bytes per nanosecond (GB/s), so that nothing is rounded differently elsewhere.

This module is known to the simulator, also inside the sandbox: it holds no optima and no bounds.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

INPUT = -1
"""The producer of a buffer that nobody writes, and the access before the first use of one."""
MAX_OPS = 4_000
MAX_BUFFERS = 10_000
MAX_USES = 20_000
MAX_BYTES = 1 << 40
"""The largest buffer and the largest memory."""
MAX_TIME = 10**12
"""The longest computation of one operation, ns."""
MAX_BANDWIDTH = 10**6
HEAD = 7


@dataclass(frozen=True)
class Machine:
    """``capacity`` of the fast memory in bytes; bandwidths of slow memory, fast memory and the copy engine in bytes
    per nanosecond."""

    capacity: int
    slow: int
    fast: int
    copy: int


@dataclass(frozen=True)
class Buffer:
    """``uses`` rise and come after ``producer``. An ``output`` has to be in slow memory at the end."""

    size: int
    producer: int
    uses: tuple[int, ...]
    output: bool = False


@dataclass(frozen=True)
class Segment:
    """From the access of ``buffer`` by operation ``before`` (INPUT: the beginning) to its use by operation ``use``.
    ``last``: no use follows."""

    buffer: int
    before: int
    use: int
    last: bool


@dataclass(frozen=True)
class Program:
    """``compute`` is the computing time of each operation, ns."""

    machine: Machine
    compute: tuple[int, ...]
    buffers: tuple[Buffer, ...]

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """All segments in the order in which they are decided: by their use, then by their buffer."""
        found = [
            Segment(number, before, use, use == buffer.uses[-1])
            for number, buffer in enumerate(self.buffers)
            for before, use in zip((buffer.producer, *buffer.uses), buffer.uses, strict=False)
        ]
        return tuple(sorted(found, key=lambda s: (s.use, s.buffer)))

    @cached_property
    def slow_bytes(self) -> tuple[int, ...]:
        """What each operation moves when everything stays in slow memory: all that it reads and all that it writes."""
        found = [0] * len(self.compute)
        for buffer in self.buffers:
            for op in buffer.uses if buffer.producer == INPUT else (buffer.producer, *buffer.uses):
                found[op] += buffer.size
        return tuple(found)

    def duration(self, op: int, slow: int, fast: int) -> int:
        """The time of an operation that moves ``slow`` and ``fast`` bytes, ns: the roofline of Williams, Waterman &
        Patterson (2009), "Roofline: an insightful visual performance model for multicore architectures", with a roof
        for each memory; at least 1."""
        machine = self.machine
        return max(1, self.compute[op], -(-slow // machine.slow), -(-fast // machine.fast))

    @cached_property
    def all_slow(self) -> int:
        """The run time when everything stays in slow memory, ns."""
        return sum(self.duration(op, moved, 0) for op, moved in enumerate(self.slow_bytes))


def encode(program: Program) -> bytes:
    """The payload of an instance, little-endian i8: capacity, three bandwidths, the numbers of operations, buffers and
    uses; computing times; sizes, producers, whether output, number of uses; then the uses, buffer by buffer."""
    machine, buffers = program.machine, program.buffers
    uses = [use for buffer in buffers for use in buffer.uses]
    numbers: list[int] = [
        *(machine.capacity, machine.slow, machine.fast, machine.copy),
        *(len(program.compute), len(buffers), len(uses)),
        *program.compute,
        *(b.size for b in buffers),
        *(b.producer for b in buffers),
        *(int(b.output) for b in buffers),
        *(len(b.uses) for b in buffers),
        *uses,
    ]
    return np.array(numbers, "<i8").tobytes()


def decode(payload: bytes) -> Program:
    """What :func:`encode` was given."""
    numbers: list[int] = np.frombuffer(payload, "<i8").tolist()
    capacity, slow, fast, copy, ops, count, _ = numbers[:HEAD]
    columns = [numbers[HEAD + ops + k * count :][:count] for k in range(4)]
    at = HEAD + ops + 4 * count
    buffers = []
    for size, producer, output, many in zip(*columns, strict=True):
        buffers.append(Buffer(size, producer, tuple(numbers[at : at + many]), bool(output)))
        at += many
    return Program(Machine(capacity, slow, fast, copy), tuple(numbers[HEAD : HEAD + ops]), tuple(buffers))


def wrong(compute: Sequence[int], buffers: Sequence[Buffer]) -> str | None:
    """What is wrong with a program, in words, or None. Checks what each number has to be and that nothing is read
    before it is written."""
    ops = len(compute)
    if not 1 <= ops <= MAX_OPS:
        return f"the program has {ops} operations; expected 1 to {MAX_OPS}"
    if not 1 <= len(buffers) <= MAX_BUFFERS:
        return f"the program has {len(buffers)} buffers; expected 1 to {MAX_BUFFERS}"
    if (uses := sum(len(b.uses) for b in buffers)) > MAX_USES:
        return f"the buffers have {uses} uses; expected at most {MAX_USES}"
    for op, time in enumerate(compute):
        if not 0 <= time <= MAX_TIME:
            return f"operation {op} computes for {time} ns; expected 0 to {MAX_TIME}"
    for number, buffer in enumerate(buffers):
        if not 1 <= buffer.size <= MAX_BYTES:
            return f"buffer {number} has the size {buffer.size}; expected 1 to {MAX_BYTES}"
        if not INPUT <= buffer.producer < ops:
            return f"buffer {number} is written by operation {buffer.producer}, which there is not"
        before = buffer.producer
        for use in buffer.uses:
            if use >= ops:
                return f"buffer {number} is read by operation {use}, which there is not"
            if use <= before:
                what = "written" if before == buffer.producer else "read before"
                return f"buffer {number} is read by operation {use}, but {what} by operation {before}; uses must rise"
            before = use
    return None
