"""Replays event logs: whether the fast memory, the copy engine and the operations can do that, and how long it takes.

It shares the program with the simulator and nothing else: traffic, room and times are worked out anew from what the
log says, in a way of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from evaluators.memory.mapping.game import KEEP, NOWHERE, SLOW, WINDOWS
from evaluators.memory.mapping.program import INPUT, Program, Segment, decode
from evaluators.task import (
    Figure,
    ImpossibleAnswer,
    Instance,
    InvalidAnswer,
    Judgement,
    ReferenceKind,
    in_classes,
)

CERTAIN: tuple[ReferenceKind, ...] = ("proved optimum", "bound")
"""References that no mapping can beat."""
FIELDS = 4
"""Numbers of a segment in the event log."""


@dataclass(frozen=True)
class Decided:
    """What the log says of a segment; ``began`` and ``done`` are those of its copy, ns."""

    segment: Segment
    code: int
    offset: int
    began: int
    done: int


@dataclass(frozen=True)
class Replay:
    """A log that is possible. ``boxes`` are (first operation, last, offset, size, segment) of what is in fast memory;
    ``slow`` and ``fast`` the bytes that each operation moves."""

    program: Program
    decided: tuple[Decided, ...]
    times: tuple[tuple[int, int], ...]
    boxes: tuple[tuple[int, int, int, int, int], ...]
    slow: tuple[int, ...]
    fast: tuple[int, ...]

    @property
    def run_time(self) -> int:
        return self.times[-1][1]


def log_bytes(program: Program) -> int:
    """The length of an event log."""
    return 8 * (FIELDS * len(program.segments) + 2 * len(program.compute))


def judge(instance: Instance, answer: bytes) -> Judgement:
    """Replay the event log and score its run time: the share, in percent, that is left of what the fast memory could
    save at most, so that everything in slow memory is 100.

    Raises InvalidAnswer for a log that cannot be, ImpossibleAnswer when the run time is below a bound, ValueError when
    the instance has no reference."""
    found = replay(decode(instance.payload), answer)
    if instance.reference is None:
        raise ValueError(f"instance {instance.id!r} has no reference")
    value = found.run_time
    if instance.reference_kind in CERTAIN and value < instance.reference:
        raise ImpossibleAnswer(
            f"{value} ns on {instance.id!r} are less than the {instance.reference:.0f} that are proved needed"
        )
    return Judgement(float(value), left(found.program.all_slow, value, instance.reference))


def left(all_slow: int, value: float, least: float) -> float:
    """The share of ``all_slow - least`` that a run time of ``value`` leaves, in percent; times in ns."""
    return 100.0 * (value - least) / max(all_slow - least, 1.0)


def replay(program: Program, answer: bytes) -> Replay:
    """What the log says, checked. Raises InvalidAnswer with the first thing that is wrong."""
    if len(answer) != log_bytes(program):
        raise InvalidAnswer(f"the event log has {len(answer)} bytes; expected {log_bytes(program)}")
    numbers: list[int] = np.frombuffer(answer, "<i8").tolist()
    split = FIELDS * len(program.segments)
    rows = [numbers[at : at + FIELDS] for at in range(0, split, FIELDS)]
    decided = tuple(Decided(s, *row) for s, row in zip(program.segments, rows, strict=True))
    times = tuple(zip(numbers[split::2], numbers[split + 1 :: 2], strict=True))
    for one in decided:
        _meaningful(program, one)
    boxes = _boxes(program, decided)
    _apart(boxes)
    slow, fast = traffic(program, [one.code for one in decided])
    _timed(program, decided, times, slow, fast)
    return Replay(program, decided, times, boxes, slow, fast)


def _named(segment: Segment) -> str:
    return f"buffer {segment.buffer} for operation {segment.use}"


def _meaningful(program: Program, one: Decided) -> None:
    """Codes, windows, addresses, and that only copies have times."""
    segment, size = one.segment, program.buffers[one.segment.buffer].size
    if one.code not in (SLOW, KEEP, *WINDOWS):
        raise InvalidAnswer(f"{_named(segment)}: there is no action {one.code}")
    if one.code == KEEP and segment.before == INPUT:
        raise InvalidAnswer(f"{_named(segment)}: an input cannot be kept before it was read")
    if one.code > 0 and segment.use - one.code <= segment.before:
        raise InvalidAnswer(
            f"{_named(segment)}: a copy {one.code} operations ahead begins before the last access"
        )
    if one.code == SLOW:
        if one.offset != NOWHERE:
            raise InvalidAnswer(f"{_named(segment)}: it is in slow memory, yet has an address")
    elif not 0 <= one.offset <= program.machine.capacity - size:
        raise InvalidAnswer(f"{_named(segment)}: it does not lie within the fast memory")
    if one.code <= 0 and (one.began, one.done) != (0, 0):
        raise InvalidAnswer(f"{_named(segment)}: it is not copied, yet a copy has times")


def _boxes(program: Program, decided: Sequence[Decided]) -> tuple[tuple[int, int, int, int, int], ...]:
    """What is where in fast memory. What is kept from a use that found it there continues at its address."""
    last: dict[int, Decided] = {}
    boxes = []
    for number, one in enumerate(decided):
        segment, size = one.segment, program.buffers[one.segment.buffer].size
        before = last.get(segment.buffer)
        last[segment.buffer] = one
        if one.code == SLOW:
            continue
        first = segment.use - one.code
        if one.code == KEEP:
            first = segment.before
            if before is not None and before.code != SLOW:
                if before.offset != one.offset:
                    raise InvalidAnswer(f"{_named(segment)}: it is kept, yet at another address")
                first += 1
        boxes.append((first, segment.use, one.offset, size, number))
    return tuple(boxes)


def _apart(boxes: Sequence[tuple[int, int, int, int, int]]) -> None:
    """No two boxes share an operation and an address: at each operation those that are there are sorted by address."""
    starts: dict[int, list[tuple[int, int, int, int, int]]] = {}
    for box in boxes:
        starts.setdefault(box[0], []).append(box)
    alive: list[tuple[int, int, int, int, int]] = []
    for op in sorted(starts):
        alive = sorted([b for b in alive if b[1] >= op] + starts[op], key=lambda b: (b[2], b[4]))
        for low, high in pairwise(alive):
            if low[2] + low[3] > high[2]:
                raise InvalidAnswer(
                    f"at operation {op} two buffers overlap in fast memory, at the addresses {low[2]} and {high[2]}"
                )


def traffic(program: Program, codes: Sequence[int]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Bytes that each operation moves in slow and in fast memory when each segment takes the action of its code:
    buffer by buffer, along its accesses."""
    slow, fast = [0] * len(program.compute), [0] * len(program.compute)
    uses: dict[int, list[tuple[int, int]]] = {}
    for segment, code in zip(program.segments, codes, strict=True):
        uses.setdefault(segment.buffer, []).append((segment.use, code))
    for number, buffer in enumerate(program.buffers):
        fresh = buffer.producer != INPUT  # whether slow memory lacks it
        here = False  # whether the last access has it in fast memory
        at = buffer.producer
        for use, code in uses.get(number, ()):
            if code == KEEP:
                if not here:
                    fast[at] += buffer.size
            elif fresh:
                slow[at] += buffer.size
                fresh = False
            here, at = code != SLOW, use
            (fast if here else slow)[at] += buffer.size
        if fresh and (buffer.output or not buffer.uses):
            slow[at] += buffer.size
    return tuple(slow), tuple(fast)


def _timed(
    program: Program,
    decided: Sequence[Decided],
    times: Sequence[tuple[int, int]],
    slow: Sequence[int],
    fast: Sequence[int],
) -> None:
    """Everything begins as soon as it may and takes as long as it has to."""
    copies = sorted(
        (one.segment.use - one.code, number) for number, one in enumerate(decided) if one.code > 0
    )
    waits = [0] * len(times)
    for _, number in copies:
        one = decided[number]
        waits[one.segment.use] = max(waits[one.segment.use], one.done)
    engine = 0
    for op, number in copies:
        one = decided[number]
        began = max(times[op][0], engine)
        size = program.buffers[one.segment.buffer].size
        engine = began + -(-size // program.machine.copy)
        if (one.began, one.done) != (began, engine):
            raise InvalidAnswer(
                f"{_named(one.segment)}: its copy takes the engine from {began} to {engine} ns, the log says otherwise"
            )
    before = 0
    for op, (begins, ends) in enumerate(times):
        expected = max(before, waits[op])
        if begins != expected:
            raise InvalidAnswer(f"operation {op} begins at {expected} ns, the log says otherwise")
        before = begins + program.duration(op, slow[op], fast[op])
        if ends != before:
            raise InvalidAnswer(f"operation {op} ends at {before} ns, the log says otherwise")


def figures(instances: Sequence[Instance], values: Sequence[float]) -> tuple[Figure, ...]:
    """Beside the score: how much faster than everything in slow memory, how far above the bound at most, and the worst
    class's mean score."""
    rows = [
        (i, v, i.reference, decode(i.payload).all_slow)
        for i, v in zip(instances, values, strict=True)
        if i.reference is not None
    ]
    if not rows:
        return ()
    means = in_classes([i for i, *_ in rows], [left(slow, v, r) for _, v, r, slow in rows])
    worst = max(means, key=means.__getitem__)
    saved = [100.0 * (slow - v) / slow for _, v, _, slow in rows]
    above = [100.0 * (v - r) / max(r, 1.0) for _, v, r, _ in rows]
    return (
        Figure("run time saved", sum(saved) / len(saved), "%"),
        Figure("above the bound", sum(above) / len(above), "%"),
        Figure(f"worst class ({worst})", means[worst], "%"),
    )


def replayed_figures(instances: Sequence[Instance], answers: Sequence[bytes]) -> tuple[Figure, ...]:
    """What the mappings do: shares of the uses that find their buffer in fast memory and of those that a copy brings,
    and the share of the time that operations wait for copies."""
    uses = fast = copied = waited = total = 0
    for instance, answer in zip(instances, answers, strict=True):
        found = replay(decode(instance.payload), answer)
        uses += len(found.decided)
        fast += sum(one.code != SLOW for one in found.decided)
        copied += sum(one.code > 0 for one in found.decided)
        ends = (0, *(end for _, end in found.times))
        waited += sum(begin - end for (begin, _), end in zip(found.times, ends, strict=False))
        total += found.run_time
    return (
        Figure("uses from fast memory", 100.0 * fast / max(uses, 1), "%"),
        Figure("uses after a copy", 100.0 * copied / max(uses, 1), "%"),
        Figure("time waiting for copies", 100.0 * waited / max(total, 1), "%"),
    )
