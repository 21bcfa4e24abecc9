"""The optimum by constraint programming: CP-SAT (Perron, Didier & Gay 2023, "The CP-SAT-LP solver"), on small
programs.

A model of its own, which shares the program and the meaning of actions with the game and no code: which action each
segment takes, at which address a buffer lies meanwhile (two-dimensional no-overlap of operations and addresses), when
operations begin and how far the copy engine is. Addresses are free, not those of best fit: its bound holds for every
mapping that the referee takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evaluators.memory.mapping.game import KEEP, NOWHERE, SLOW, WINDOWS, Action, Game
from evaluators.memory.mapping.program import INPUT, Program, Segment
from evaluators.task import Missing

if TYPE_CHECKING:
    from ortools.sat.python import cp_model

LARGEST = 600
"""Segments; a larger program is not tried."""


@dataclass(frozen=True)
class Found:
    """``bound`` on the run time of any mapping, ns; ``decisions`` (code, offset) of each segment of the best mapping
    found, None where none was."""

    bound: int
    decisions: tuple[tuple[int, int], ...] | None


def solve(program: Program, seconds: float, hint: Game | None = None) -> Found:
    """Solve for at most ``seconds``, from the finished game ``hint`` if there is one. A program of more than LARGEST
    segments is not tried. Raises TaskError where OR-tools is missing."""
    try:
        from ortools.sat.python import cp_model
    except ImportError:
        raise Missing(
            "the solver exact needs OR-tools, which is not installed: install the extra cpsat"
        ) from None
    if len(program.segments) > LARGEST:
        return Found(0, None)
    model = _Model(program, cp_model.CpModel())
    if hint is not None:
        model.hint(hint)
    solver = cp_model.CpSolver()
    solver.parameters.max_time_in_seconds = seconds
    solver.parameters.random_seed = 1
    status = solver.solve(model.model)
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Found(0, None)
    return Found(-int(-solver.best_objective_bound // 1), model.decisions(solver))


def replayed(program: Program, decisions: Sequence[tuple[int, int]]) -> Game:
    """The finished game of (code, offset) of each segment. Offsets are taken as they are, free or not."""
    game = Game(program)
    for code, offset in decisions:
        segment = program.segments[len(game.log)]
        if code == KEEP:
            first = segment.before + game.in_fast(segment)
        else:
            first = segment.use + 1 if code == SLOW else segment.use - code
        game.move(Action(code, first, offset, program.buffers[segment.buffer].size))
    game.finished()
    return game


class _Model:
    """Variables by segment: ``take[code]``, ``offset``, and whether its use finds the buffer in fast memory."""

    def __init__(self, program: Program, model: cp_model.CpModel) -> None:
        self.model, self._program = model, program
        ops, horizon = (
            len(program.compute),
            2 * program.all_slow + sum(-(-b.size // program.machine.copy) for b in program.buffers),
        )
        self._horizon = horizon
        self._slow: list[list[Any]] = [[] for _ in range(ops)]
        self._fast: list[list[Any]] = [[] for _ in range(ops)]
        self._boxes: list[tuple[Any, Any]] = []
        self._held: list[tuple[Any, int]] = []
        self._copies: list[tuple[int, int, int, Any, int]] = []  # issuing operation, segment, use, taken, ns
        self._take: list[dict[int, Any]] = []
        self._offset: list[Any] = []
        previous: dict[
            int, tuple[Any, Any, Any]
        ] = {}  # of each buffer: in fast memory, its offset, unwritten
        for number, segment in enumerate(program.segments):
            previous[segment.buffer] = self._segment(number, segment, previous.get(segment.buffer))
        for buffer in program.buffers:
            if not buffer.uses and buffer.producer != INPUT:
                self._slow[buffer.producer].append(buffer.size)
        if self._boxes:
            model.add_no_overlap_2d(*(list(side) for side in zip(*self._boxes, strict=True)))
            times, sizes = zip(*self._held, strict=True)
            model.add_cumulative(list(times), list(sizes), program.machine.capacity)
        self._starts = [model.new_int_var(0, horizon, "") for _ in range(ops)]
        self._times()

    def _segment(
        self, number: int, segment: Segment, before: tuple[Any, Any, Any] | None
    ) -> tuple[Any, Any, Any]:
        model, program = self.model, self._program
        buffer = program.buffers[segment.buffer]
        size, room = buffer.size, program.machine.capacity - buffer.size
        codes = [SLOW]
        if room >= 0:
            codes += [KEEP] * (segment.before != INPUT)
            codes += [w for w in WINDOWS if segment.use - w > segment.before]
        take = {code: model.new_bool_var("") for code in codes}
        model.add_exactly_one(take.values())
        offset: Any = model.new_int_var(0, max(0, room), "")
        self._take.append(take)
        self._offset.append(offset)
        resident, at, unwritten = before or (False, None, segment.before != INPUT)
        kept: Any = take.get(KEEP, False)
        for code in codes:
            if code > 0:
                self._box(segment.use - code, segment.use, offset, size, take[code])
                time = -(-size // program.machine.copy)
                self._copies.append((segment.use - code, number, segment.use, take[code], time))
        self._slow[segment.use].append(size * take[SLOW])
        self._fast[segment.use].append(size * (1 - take[SLOW]))
        still: Any = False
        if KEEP in take:
            self._box(segment.before + 1, segment.use, offset, size, kept)
            fresh = self._both(kept, _not(resident))
            self._box(segment.before, segment.before, offset, size, fresh)
            self._fast[segment.before].append(size * fresh)
            if at is not None:
                model.add(offset == at).only_enforce_if(kept, resident)
            still = self._both(kept, unwritten)
        if segment.before != INPUT:
            self._slow[segment.before].append(size * self._both(unwritten, _not(kept)))
        if segment.last and buffer.output:
            self._slow[segment.use].append(size * still)
        return _not(take[SLOW]), offset, still

    def _both(self, one: Any, other: Any) -> Any:
        """Whether both hold; each a literal or a bool."""
        if isinstance(one, bool) or isinstance(other, bool):
            return (other if one else False) if isinstance(one, bool) else (one if other else False)
        found = self.model.new_bool_var("")
        self.model.add_bool_and(one, other).only_enforce_if(found)
        self.model.add_bool_or(_not(one), _not(other), found)
        return found

    def _box(self, first: int, last: int, offset: Any, size: int, there: Any) -> None:
        if there is False:
            return
        times = self.model.new_optional_fixed_size_interval_var(first, last + 1 - first, there, "")
        self._boxes.append((times, self.model.new_optional_fixed_size_interval_var(offset, size, there, "")))
        self._held.append((times, size))

    def _times(self) -> None:
        """Rooflines, operations one after another, copies one after another and before their uses."""
        model, program, starts = self.model, self._program, self._starts
        engine: Any = 0
        self._copies.sort(key=lambda c: (c[0], c[1]))
        for op, _, use, taken, time in self._copies:
            done = model.new_int_var(0, self._horizon, "")
            model.add(done >= engine)
            model.add(done >= engine + time).only_enforce_if(taken)
            model.add(done >= starts[op] + time).only_enforce_if(taken)
            model.add(starts[use] >= done).only_enforce_if(taken)
            engine = done
        for op, begins in enumerate(starts):
            ends: Any = starts[op + 1] if op + 1 < len(starts) else model.new_int_var(0, self._horizon, "")
            model.add(ends >= begins + max(1, program.compute[op]))
            for moved, bandwidth in (
                (self._slow[op], program.machine.slow),
                (self._fast[op], program.machine.fast),
            ):
                if moved:
                    model.add(bandwidth * (ends - begins) >= sum(moved))
        model.minimize(ends)

    def hint(self, game: Game) -> None:
        for take, offset, (code, at) in zip(self._take, self._offset, game.log, strict=True):
            for each, variable in take.items():
                self.model.add_hint(variable, each == code)
            if at != NOWHERE:
                self.model.add_hint(offset, at)
        for variable, start in zip(self._starts, game.starts, strict=True):
            self.model.add_hint(variable, start)

    def decisions(self, solver: cp_model.CpSolver) -> tuple[tuple[int, int], ...]:
        found = []
        for take, offset in zip(self._take, self._offset, strict=True):
            code = next(code for code, variable in take.items() if solver.boolean_value(variable))
            found.append((code, NOWHERE if code == SLOW else solver.value(offset)))
        return tuple(found)


def _not(literal: Any) -> Any:
    return not literal if isinstance(literal, bool) else literal.negated()
