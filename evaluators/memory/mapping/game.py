"""The game: segment by segment, in the order of their uses, a buffer waits in slow memory, is kept in fast memory, or
is copied there ahead of its use.

- SLOW: the use reads it from slow memory.
- KEEP: it lies in fast memory from the access before to the use. An operation that writes it writes to fast memory,
  one that reads it from slow memory keeps what it has read.
- a number w of operations: the copy engine fetches it from slow memory; room is held from operation use - w on, and
  the copy may begin when that operation begins. The engine makes one copy at a time, in the order of these operations,
  then of the segments. A use waits for its copy.

A buffer that is only in fast memory and has to leave it, since a use reads it from slow memory, an engine fetches it
or the program ends with it as an output, is written to slow memory by the last operation that had it in fast memory.
What is not decided yet stays in slow memory: so a state has a run time at any moment, and only the operations up to
the current use can still change it.

Room is found by best fit: the smallest hole that is free throughout, at its lowest address. What lies in fast memory
already stays at its address.

This module is known to the simulator, also inside the sandbox: it holds no optima and no bounds.
"""

from copy import copy as shallow
from dataclasses import dataclass
from typing import NamedTuple

from evaluators.memory.mapping.program import INPUT, Program, Segment

SLOW, KEEP = 0, -1
WINDOWS = (1, 2, 4, 8, 16)
"""How many operations ahead of a use a copy may begin."""
NOWHERE = -1
"""Offset of what is not in fast memory."""


@dataclass(frozen=True, slots=True)
class Action:
    """What can be done with a segment. ``code`` is SLOW, KEEP or a window; ``first`` the first operation with room
    held (one more than the use for SLOW), ``offset`` and ``hole`` where best fit puts it, and how large the hole
    is."""

    code: int
    first: int
    offset: int
    hole: int


class Outcome(NamedTuple):
    """Of an action: when the use ends, how long it waits for its copies after the operation before, and for how long
    the room is held until the use ends, ns."""

    end: int
    stall: int
    held: int


class Game:
    """One play. ``log`` holds (code, offset) of each decided segment."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.log: list[tuple[int, int]] = []
        ops = len(program.compute)
        self.slow = list(program.slow_bytes)
        self.fast = [0] * ops
        self.starts = [0] * ops
        self.ends = [0] * ops
        self.engine = [0] * ops
        """When the copy engine has done all that was issued up to each operation, ns."""
        self.copies: list[tuple[tuple[int, int, int], ...]] = [()] * ops
        """What each operation issues: (segment, use, ns), in the order of segments."""
        self.ready: dict[int, int] = {}
        """When the copy of each segment is done, ns."""
        self.used = [0] * ops
        """Bytes of fast memory held at each operation."""
        self._boxes: list[tuple[int, int, int, int]] = []  # (last operation, first, offset, top), by last
        self._offset = [NOWHERE] * len(program.buffers)  # at the last access that is decided
        self._unwritten = [
            b.producer for b in program.buffers
        ]  # who writes it to slow memory; INPUT: it is there
        self._known = -1  # operations up to this one have their times

    def copy(self) -> "Game":
        """A play that goes on from here by itself."""
        other = shallow(self)
        for name in ("log", "slow", "fast", "starts", "ends", "engine", "copies", "used", "_boxes", "_offset",
                     "_unwritten"):  # fmt: skip
            setattr(other, name, getattr(self, name).copy())
        other.ready = self.ready.copy()
        return other

    @property
    def segment(self) -> Segment | None:
        """The segment that is decided next; None when all are."""
        segments = self.program.segments
        return segments[len(self.log)] if len(self.log) < len(segments) else None

    def unwritten(self, segment: Segment) -> bool:
        """Whether slow memory lacks the buffer unless an operation up to ``before`` writes it there."""
        return self._unwritten[segment.buffer] != INPUT

    def in_fast(self, segment: Segment) -> bool:
        """Whether the access before found the buffer in fast memory, or left it there."""
        return self._offset[segment.buffer] != NOWHERE

    # -- what is possible -------------------------------------------------------------------------------------------

    def actions(self) -> list[Action]:
        """What can be done with the current segment: SLOW, then KEEP, then windows from short to long, where there is
        room. A window begins after the access before."""
        segment = self.program.segments[len(self.log)]
        before, use, size = segment.before, segment.use, self.program.buffers[segment.buffer].size
        found = [Action(SLOW, use + 1, NOWHERE, size)]
        if before != INPUT:
            at = self._offset[segment.buffer]
            if at == NOWHERE:
                place = self._best_fit(before, size)
                if place is not None:
                    found.append(Action(KEEP, before, *place))
            else:
                hole = self._hole_at(before + 1, at, size)
                if hole is not None:
                    found.append(Action(KEEP, before + 1, at, hole))
        for window in WINDOWS:
            first = use - window
            if first <= before:
                break
            place = self._best_fit(first, size)
            if place is None:
                break  # a longer window is free less often
            found.append(Action(window, first, *place))
        return found

    def _holes(self, first: int) -> list[tuple[int, int]]:
        """The holes (bottom, top) that are free from operation ``first`` up to the current use. No box ends after
        it."""
        taken = []
        for box in reversed(self._boxes):
            if box[0] < first:
                break
            taken.append(box[2:])
        taken.sort()
        holes, bottom = [], 0
        for offset, top in taken:
            if offset > bottom:
                holes.append((bottom, offset))
            if top > bottom:
                bottom = top
        if bottom < self.program.machine.capacity:
            holes.append((bottom, self.program.machine.capacity))
        return holes

    def _best_fit(self, first: int, size: int) -> tuple[int, int] | None:
        """Offset and size of the smallest hole for ``size`` bytes, of equal ones the lowest."""
        fits = [(top - bottom, bottom) for bottom, top in self._holes(first) if top - bottom >= size]
        if not fits:
            return None
        hole, offset = min(fits)
        return offset, hole

    def _hole_at(self, first: int, offset: int, size: int) -> int | None:
        """The size of the hole around an address; None where it is taken."""
        for bottom, top in self._holes(first):
            if bottom <= offset and offset + size <= top:
                return top - bottom
        return None

    # -- what it does -----------------------------------------------------------------------------------------------

    def move(self, action: Action) -> None:
        """Decide the current segment by one of :meth:`actions`."""
        segment = self.program.segments[len(self.log)]
        self._shift(segment, action, 1)
        first = self._earliest(segment, action)
        starts, ends, engine, ready = self._timed(first, segment.use)
        self.starts[first : segment.use + 1], self.ends[first : segment.use + 1] = starts, ends
        self.engine[first : segment.use + 1] = engine
        self.ready.update(ready)
        self._known = segment.use
        buffer = self.program.buffers[segment.buffer]
        if action.code != KEEP:
            self._unwritten[segment.buffer] = INPUT
        elif self._unwritten[segment.buffer] != INPUT:
            self._unwritten[segment.buffer] = segment.use
        self._offset[segment.buffer] = action.offset
        if action.code != SLOW:
            self._boxes.append((segment.use, action.first, action.offset, action.offset + buffer.size))
            for op in range(action.first, segment.use + 1):
                self.used[op] += buffer.size
        self.log.append((action.code, action.offset))

    def trial(self, action: Action) -> Outcome:
        """What would come of deciding the current segment by this action."""
        segment = self.program.segments[len(self.log)]
        use, first = segment.use, self._earliest(segment, action)
        self._shift(segment, action, 1)
        starts, ends, _, _ = self._timed(first, use)
        self._shift(segment, action, -1)
        before = ends[-2] if len(ends) > 1 else self.ends[use - 1] if use else 0
        held = ends[-1] - starts[action.first - first] if action.code != SLOW else 0
        return Outcome(ends[-1], starts[-1] - before, held)

    @property
    def run_time(self) -> int:
        """The run time when all that is not decided stays in slow memory, ns."""
        done = self._known
        ended = self.ends[done] if done >= 0 else 0
        later = range(done + 1, len(self.slow))
        return ended + sum(self.program.duration(op, self.slow[op], self.fast[op]) for op in later)

    def finished(self) -> None:
        """Give the operations after the last use their times."""
        last = len(self.slow) - 1
        first = self._known + 1
        if first <= last:
            self.starts[first:], self.ends[first:], self.engine[first:], _ = self._timed(first, last)
            self._known = last

    def _earliest(self, segment: Segment, action: Action) -> int:
        """The first operation whose time may change, or has none yet."""
        first = self._known + 1
        if action.code == KEEP:
            first = min(first, segment.before)
        elif action.code != SLOW:
            first = min(first, action.first)
        return min(first, segment.use)

    def _shift(self, segment: Segment, action: Action, sign: int) -> None:
        """Put the traffic of an action in the place of that of SLOW, or (sign -1) take it back."""
        code, before, use = action.code, segment.before, segment.use
        if code == SLOW:
            return
        buffer = self.program.buffers[segment.buffer]
        moved = sign * buffer.size
        self.slow[use] -= moved
        self.fast[use] += moved
        if code == KEEP:
            if self._offset[segment.buffer] == NOWHERE:
                self.fast[before] += moved
            if self._unwritten[segment.buffer] != INPUT:
                self.slow[self._unwritten[segment.buffer]] -= moved
                if not segment.last or buffer.output:
                    self.slow[use] += moved
        elif sign > 0:
            time = -(-buffer.size // self.program.machine.copy)
            self.copies[action.first] += ((len(self.log), use, time),)
        else:
            self.copies[action.first] = self.copies[action.first][:-1]

    def _timed(self, first: int, last: int) -> tuple[list[int], list[int], list[int], dict[int, int]]:
        """Starts, ends, the engine's times from ``first`` to ``last``, and when the copies issued there are done."""
        now = self.ends[first - 1] if first else 0
        engine = self.engine[first - 1] if first else 0
        waits: dict[int, int] = {}
        for op in range(max(0, first - WINDOWS[-1]), first):
            for number, use, _ in self.copies[op]:
                if use >= first:
                    done = self.ready[number]
                    if done > waits.get(use, 0):
                        waits[use] = done
        starts, ends, engines, ready = [], [], [], {}
        for op in range(first, last + 1):
            done = waits.get(op, 0)
            if done > now:
                now = done
            starts.append(now)
            for number, use, time in self.copies[op]:
                engine = (now if now > engine else engine) + time
                ready[number] = engine
                if engine > waits.get(use, 0):
                    waits[use] = engine
            now += self.program.duration(op, self.slow[op], self.fast[op])
            ends.append(now)
            engines.append(engine)
        return starts, ends, engines, ready
