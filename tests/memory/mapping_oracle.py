"""The mapping game by its definition, slowly: every number is counted anew, addresses one by one.

It shares the records of a program with the task, and no arithmetic.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from hypothesis import strategies as st

from evaluators.memory.mapping.game import KEEP, SLOW, WINDOWS
from evaluators.memory.mapping.program import INPUT, Buffer, Machine, Program

Codes = Sequence[int]


@st.composite
def programs(draw: st.DrawFn, ops: int = 6, buffers: int = 5, capacity: int = 10) -> Program:
    """Small programs, all of whose numbers are small."""
    n = draw(st.integers(2, ops))
    made = []
    for _ in range(draw(st.integers(1, buffers))):
        producer = draw(st.integers(INPUT, n - 1))
        later = list(range(producer + 1, n))
        uses = draw(st.sets(st.sampled_from(later), max_size=3)) if later else set()
        made.append(Buffer(draw(st.integers(1, 6)), producer, tuple(sorted(uses)), draw(st.booleans())))
    machine = Machine(draw(st.integers(1, capacity)), *(draw(st.integers(1, most)) for most in (3, 6, 3)))
    compute = draw(st.lists(st.integers(0, 5), min_size=n, max_size=n))
    return Program(machine, tuple(compute), tuple(made))


def order(program: Program) -> list[tuple[int, int, int]]:
    """(buffer, access before, use) in the order of decisions."""
    found = []
    for use in range(len(program.compute)):
        for number, buffer in enumerate(program.buffers):
            if use in buffer.uses:
                before = [a for a in (buffer.producer, *buffer.uses) if a < use]
                found.append((number, before[-1], use))
    return found


def traffic(program: Program, codes: Codes) -> tuple[list[int], list[int]]:
    """Bytes in slow and in fast memory of each operation."""
    slow, fast = [0] * len(program.compute), [0] * len(program.compute)
    decided = {(number, use): code for (number, _, use), code in zip(order(program), codes, strict=True)}
    for number, buffer in enumerate(program.buffers):
        accesses = [*([] if buffer.producer == INPUT else [buffer.producer]), *buffer.uses]
        needs_writing = buffer.producer != INPUT
        for at, op in enumerate(accesses):
            written = at == 0 and buffer.producer != INPUT
            from_fast = not written and decided[number, op] != SLOW
            if not written:
                (fast if from_fast else slow)[op] += buffer.size
            following = accesses[at + 1] if at + 1 < len(accesses) else None
            stays = following is not None and decided[number, following] == KEEP
            if stays and not from_fast:
                fast[op] += buffer.size
            dead = following is None and not buffer.output and len(accesses) > 1
            if needs_writing and not stays and not dead:
                slow[op] += buffer.size
                needs_writing = False
    return slow, fast


def times(program: Program, codes: Codes) -> list[tuple[int, int]]:
    """Begin and end of each operation. The engine is asked in the order in which copies are issued."""
    slow, fast = traffic(program, codes)
    found: list[tuple[int, int]] = []
    engine = 0
    copied: dict[int, list[int]] = {}
    for op in range(len(program.compute)):
        begin = max([found[-1][1] if found else 0, *copied.get(op, [])])
        for (number, _, use), code in zip(order(program), codes, strict=True):
            if code > 0 and use - code == op:
                engine = max(engine, begin) + up(program.buffers[number].size, program.machine.copy)
                copied.setdefault(use, []).append(engine)
        longest = max(
            1, program.compute[op], up(slow[op], program.machine.slow), up(fast[op], program.machine.fast)
        )
        found.append((begin, begin + longest))
    return found


def up(a: int, b: int) -> int:
    """a / b, rounded up."""
    return a // b + (a % b > 0)


def cells(program: Program, codes: Codes) -> list[list[int]]:
    """Of each segment the operations at which it needs room of its own: none where the segment before has it."""
    found: list[list[int]] = []
    before_codes: dict[int, int] = {}
    for (number, before, use), code in zip(order(program), codes, strict=True):
        first = use + 1 if code == SLOW else before if code == KEEP else use - code
        if code == KEEP and before_codes.get(number, SLOW) != SLOW:
            first = before + 1
        before_codes[number] = code
        found.append(list(range(first, use + 1)))
    return found


def choices(program: Program) -> Iterator[tuple[int, ...]]:
    """All combinations of actions, whether there is room or not."""
    each = []
    for _, before, use in order(program):
        kept = [] if before == INPUT else [KEEP]
        each.append([SLOW, *kept, *(w for w in WINDOWS if use - w > before)])
    yield from product(*each)


def fits(program: Program, codes: Codes) -> bool:
    """Whether there are addresses for all that is in fast memory: all of them are tried."""
    where, segments = cells(program, codes), order(program)
    taken: set[tuple[int, int]] = set()
    offsets: dict[int, int] = {}

    def place(at: int) -> bool:
        if at == len(segments):
            return True
        number, _, _ = segments[at]
        size = program.buffers[number].size
        if codes[at] == SLOW:
            return place(at + 1)
        chained = codes[at] == KEEP and any(
            s[0] == number and codes[k] != SLOW and s[2] == segments[at][1]
            for k, s in enumerate(segments[:at])
        )
        for offset in [offsets[number]] if chained else range(program.machine.capacity - size + 1):
            mine = {(op, offset + k) for op in where[at] for k in range(size)}
            if mine & taken:
                continue
            before = offsets.get(number)
            offsets[number] = offset
            taken.update(mine)
            if place(at + 1):
                return True
            taken.difference_update(mine)
            if before is not None:
                offsets[number] = before
        return False

    return place(0)


def optimum(program: Program) -> int:
    """The shortest run time of all mappings, ns."""
    ranked = sorted((times(program, codes)[-1][1], codes) for codes in choices(program))
    return next(time for time, codes in ranked if fits(program, codes))
