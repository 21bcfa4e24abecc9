"""The simulator of ``memory-map``: plays the game of :mod:`evaluators.memory.mapping.game` and asks a policy how much
each possible action is worth.

Runs on the trusted side for every score of record, and inside the sandbox for the quick screen and the comparison of
event logs. Besides numpy it imports the game alone, and knows no references.
"""

from collections.abc import Generator
from typing import Any

import numpy as np

from evaluators.memory.mapping.game import Action, Game
from evaluators.memory.mapping.program import INPUT, Program, Segment, decode

View = tuple[Any, ...]


def simulate(payload: bytes) -> Generator[View, Any, bytes]:
    """Map one program (:func:`evaluators.memory.mapping.program.encode`). Yields for each segment with more than one
    possible action what :data:`evaluators.memory.mapping.task.INTERFACE` says, action by action; gets float64[n] and
    takes the highest, of equal ones the first. Ends with the event log, :func:`logged`."""
    game = Game(decode(payload))
    desk = Desk(game.program)
    while (segment := game.segment) is not None:
        actions = game.actions()
        best = 0
        if len(actions) > 1:
            reply = (yield desk.view(game, segment, actions)).tolist()
            best = reply.index(max(reply))
        game.move(actions[best])
    game.finished()
    return logged(game)


def logged(game: Game) -> bytes:
    """The event log of a finished game, little-endian i8: code, offset, and begin and end of its copy (0 and 0 where
    it has none) for each segment; begin and end of each operation, ns."""
    times = {
        number: (game.ready[number] - time, game.ready[number])
        for issued in game.copies
        for number, _, time in issued
    }
    decided = [(*entry, *times.get(number, (0, 0))) for number, entry in enumerate(game.log)]
    numbers = [n for row in decided for n in row] + [
        n for row in zip(game.starts, game.ends, strict=True) for n in row
    ]
    return np.array(numbers, "<i8").tobytes()


class Desk:
    """What a policy is shown: numbers of the moment, and what compares a segment with those that come after it."""

    def __init__(self, program: Program) -> None:
        segments, buffers = program.segments, program.buffers
        self._program = program
        self._sizes = np.array([buffers[s.buffer].size for s in segments], np.float64)
        self._firsts = np.array([likely_first(s) for s in segments])
        self._density = np.array([density(program, s) for s in segments])

    def view(self, game: Game, segment: Segment, actions: list[Action]) -> View:
        """The interface's arguments in order."""
        number, use, machine = len(game.log), segment.use, self._program.machine
        buffer = self._program.buffers[segment.buffer]
        outcomes = [game.trial(action) for action in actions]
        rivals = (self._density[number + 1 :] > self._density[number]) & (self._firsts[number + 1 :] <= use)
        place = buffer.uses.index(use)
        later = buffer.uses[place + 1 :]
        slow = -(-game.slow[use] // machine.slow)
        other = max(self._program.compute[use], -(-game.fast[use] // machine.fast))
        return (
            np.array([outcomes[0].end - o.end for o in outcomes], np.float64),
            np.array([o.stall for o in outcomes], np.float64),
            np.array([o.held for o in outcomes], np.float64),
            np.array([use + 1 - a.first for a in actions], np.int64),
            np.array(
                [machine.capacity - max(game.used[min(a.first, use) : use + 1]) for a in actions], np.float64
            ),
            np.array([a.hole - buffer.size for a in actions], np.float64),
            np.array([a.code > 0 for a in actions]),
            float(buffer.size),
            float(-(-buffer.size // machine.copy)),
            float(slow - other),
            float(self._sizes[number + 1 :][rivals].sum()),
            len(later),
            later[0] - use if later else 0,
            int(game.unwritten(segment)),
            float(machine.capacity),
        )


def likely_first(segment: Segment) -> int:
    """From where on a segment that is not decided yet would want room: the access before, or two operations ahead of
    the first use of an input."""
    return segment.before if segment.before != INPUT else max(0, segment.use - 2)


def density(program: Program, segment: Segment) -> float:
    """What the fast memory is worth to a segment when all others stay in slow memory: ns saved for each byte and
    operation of the hold."""
    buffer = program.buffers[segment.buffer]
    size, moved = buffer.size, program.slow_bytes
    saved = _saved(program, segment.use, moved[segment.use], size)
    if segment.before == buffer.producer != INPUT and segment.last and not buffer.output:
        saved += _saved(program, segment.before, moved[segment.before], size)
    return saved / (size * (segment.use - likely_first(segment) + 1))


def _saved(program: Program, op: int, moved: int, size: int) -> int:
    return program.duration(op, moved, 0) - program.duration(op, moved - size, size)
