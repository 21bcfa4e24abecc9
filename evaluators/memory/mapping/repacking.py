"""The reference policy ``repacking``: by benefit with all segments known at once, best fit, and repacking.

Own reconstruction of the idea of XLA's memory space assignment (openxla, ``memory_space_assignment``): buffers get
fast memory in the order of what it saves for each byte and operation; copies are as late as they can be in time; where
no hole is large enough, everything that has been placed is packed anew, the largest areas first. A candidate cannot do
that: it decides in schedule order, and addresses stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from evaluators.memory.mapping.exact import replayed
from evaluators.memory.mapping.game import KEEP, NOWHERE, SLOW, WINDOWS, Game
from evaluators.memory.mapping.program import INPUT, Program, Segment
from evaluators.memory.mapping.referee import traffic
from evaluators.memory.mapping.simulator import density


@dataclass(frozen=True)
class Stay:
    """A buffer in fast memory from operation ``first`` to ``last``, for consecutive ``segments``."""

    first: int
    last: int
    size: int
    segments: tuple[int, ...]

    @property
    def area(self) -> int:
        return self.size * (self.last + 1 - self.first)


Placed = dict[Stay, int]
"""Offsets."""


def play(program: Program) -> Game:
    """The finished game of the mapping."""
    segments = program.segments
    codes = [SLOW] * len(segments)
    placed: Placed = {}
    least = program.all_slow
    worth = [density(program, s) for s in segments]
    for number in sorted(range(len(segments)), key=lambda k: (-worth[k], k)):
        for code in _codes(segments[number]):
            tried = [*codes[:number], code, *codes[number + 1 :]]
            time = run_time(program, tried)
            if time >= least:
                continue
            offsets = packed(program.machine.capacity, stays(program, tried), placed)
            if offsets is not None:
                codes, placed, least = tried, offsets, time
                break
    addresses = {number: offset for stay, offset in placed.items() for number in stay.segments}
    return replayed(program, [(code, addresses.get(k, NOWHERE)) for k, code in enumerate(codes)])


def _codes(segment: Segment) -> list[int]:
    kept = [] if segment.before == INPUT else [KEEP]
    return kept + [window for window in WINDOWS if segment.use - window > segment.before]


def run_time(program: Program, codes: Sequence[int]) -> int:
    """The run time when each segment takes the action of its code, ns, wherever in fast memory that may be."""
    slow, fast = traffic(program, codes)
    issued: list[list[tuple[int, int]]] = [[] for _ in slow]
    for code, segment in zip(codes, program.segments, strict=True):
        if code > 0:
            time = -(-program.buffers[segment.buffer].size // program.machine.copy)
            issued[segment.use - code].append((segment.use, time))
    waits = [0] * len(slow)
    now = engine = 0
    for op, moved in enumerate(slow):
        now = max(now, waits[op])
        for use, time in issued[op]:
            engine = max(engine, now) + time
            waits[use] = engine
        now += program.duration(op, moved, fast[op])
    return now


def stays(program: Program, codes: Sequence[int]) -> list[Stay]:
    """What is in fast memory, and when: what is kept from a use that found it there is one stay with it."""
    found: list[Stay] = []
    current: dict[int, Stay] = {}
    for number, (code, segment) in enumerate(zip(codes, program.segments, strict=True)):
        before = current.pop(segment.buffer, None)
        if before is not None and code != KEEP:
            found.append(before)
        if code == SLOW:
            continue
        if before is not None and code == KEEP:
            current[segment.buffer] = Stay(before.first, segment.use, before.size, (*before.segments, number))
            continue
        first = segment.before if code == KEEP else segment.use - code
        size = program.buffers[segment.buffer].size
        current[segment.buffer] = Stay(first, segment.use, size, (number,))
    return found + list(current.values())


def packed(capacity: int, wanted: Sequence[Stay], placed: Placed) -> Placed | None:
    """Offsets of all that is wanted: those that are there stay if the others find holes, else all are packed anew."""
    kept = {stay: placed[stay] for stay in wanted if stay in placed}
    return _filled(capacity, kept, (s for s in wanted if s not in kept)) or _filled(
        capacity, {}, sorted(wanted, key=lambda s: (-s.area, s.segments))
    )


def _filled(capacity: int, there: Placed, more: Iterable[Stay]) -> Placed | None:
    """``more`` placed beside what is there, one by one, each into the smallest hole; None where one fits nowhere."""
    found = dict(there)
    for stay in more:
        taken = sorted(
            (offset, offset + s.size)
            for s, offset in found.items()
            if s.first <= stay.last and s.last >= stay.first
        )
        best, bottom = None, 0
        for low, top in (*taken, (capacity, capacity)):
            hole = low - bottom
            if hole >= stay.size and (best is None or hole < best[0]):
                best = hole, bottom
            bottom = max(bottom, top)
        if best is None:
            return None
        found[stay] = best[1]
    return found
