"""Numbers that tell a schedule to the model: strides, reuse, footprints and loop overheads, before and after.

Each statement is looked at alone, with the loops that the schedule puts around it: what one step of each loop does to
its iterators (the inverse of the rows), how often each loop runs, and from both which lines of memory it touches
between two uses of one. The numbers of a program are means over its statements, weighted by their work; each is there
for the schedule, and as the difference from the program as written. ``estimate`` is a rough time by a formula, for the
trees to correct.

Source for counting lines by the loops whose data fits: Carr, McKinley & Tseng, "Compiler optimizations for improving
data locality" (1994).
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from evaluators.polyhedral import view
from evaluators.polyhedral.compiler import Compiler
from evaluators.polyhedral.learned.moves import Plan, legal, schedule_of
from evaluators.polyhedral.program import Affine, Sizes
from evaluators.polyhedral.transforms import Vectorise
from evaluators.polyhedral.tree import Nest, Schedule, statements

LINE = 8
"""Doubles in a line of a cache."""
CYCLES = {"l1": 4.0, "l2": 12.0, "l3": 50.0}
"""Rough cost of a line that was not in that cache any more, in cycles; LATENCY that of a sum that waits for itself,
START that of a loop."""
LATENCY, START = 4.0, 6.0
Floats = npt.NDArray[np.float64]
TERM = re.compile(r"([+-]?)\s*(?:(\d+)\*)?([A-Za-z]\w*)")
FLOOR = re.compile(r"floor\(\((.*)\)/(\d+)\)")


class Touched(NamedTuple):
    """An access: its array and float64[dimensions, loops], the coefficients of its subscripts."""

    array: str
    matrix: Floats


@dataclass(frozen=True)
class Step:
    """A loop around a statement. ``form``: which linear form it counts; ``size``: how far one iteration goes along it;
    ``trip``: iterations each time it runs."""

    nest: Nest
    form: int
    size: int
    trip: float


@dataclass(frozen=True)
class Traits:
    """One statement under a schedule. Logarithms are to base 2, numbers are for one instance of the statement."""

    unit: float
    """Loads and stores with stride 1 along the innermost loop, after reuse in registers."""
    far: float
    """The same with other strides; ``still``: accesses that stand still along it."""
    still: float
    write_still: float
    write_far: float
    independent: float
    """Whether the innermost loop's iterations are."""
    marked: float
    copies: float
    unrolled: float
    trip: float
    """Log of the iterations of the innermost loop; ``second``: of the one around it."""
    second: float
    second_still: float
    depth: float
    tiles: float
    skewed: float
    """Iterators beyond one in the forms that the innermost loop and the outermost one count."""
    skewed_outside: float
    company: float
    """Statements that the innermost loop holds; ``together``: that the outermost one holds."""
    together: float
    miss1: float
    miss2: float
    miss3: float
    """Log of the lines that are fetched anew into each cache."""
    operations: float
    estimate: float
    """Log of rough cycles."""


NAMES = [f.name for f in fields(Traits)]


class Featurer:
    """Features of schedules of one program at some sizes."""

    def __init__(self, compiler: Compiler, sizes: Sizes, machine: Mapping[str, int] | None = None) -> None:
        self._compiler = compiler
        self._view = view.described(compiler.analysis, sizes)
        self._machine = dict(machine or self._view["machine"])
        self._trips = {n["name"]: max(float(n["trip"]), 1.0) for n in self._view["loops"]}
        self._shapes = {a["name"]: a["shape"] for a in self._view["arrays"]}
        self._of = {s["name"]: s for s in self._view["statements"]}
        self._iterators = {s.name: s.iterators for s in compiler.program.statements}

    def vector(self, plan: Plan) -> Floats:
        """float64[2 x traits + 4]: the features of a legal plan."""
        own, cycles = self._means(plan)
        base, before = self._base
        return np.array(
            [*own, *(a - b for a, b in zip(own, base, strict=True)), before - cycles, *self._whole]
        )

    @cached_property
    def _base(self) -> tuple[list[float], float]:
        return self._means(())

    @cached_property
    def _whole(self) -> tuple[float, float, float]:
        """About the program whatever its schedule: instances, bytes, statements."""
        instances = sum(s["instances"] for s in self._view["statements"])
        data = sum(a["bytes"] for a in self._view["arrays"])
        return _log(instances), _log(data / self._machine["l2"]), float(len(self._of))

    @cached_property
    def weights(self) -> dict[str, float]:
        """Work of each statement, as a share."""
        work = {
            n: max(1.0, s["instances"]) * (s["operations"] + len(s["accesses"])) for n, s in self._of.items()
        }
        return {n: w / sum(work.values()) for n, w in work.items()}

    def _means(self, plan: Plan) -> tuple[list[float], float]:
        """The mean of each trait, and the logarithm of the estimates' sum."""
        schedule = schedule_of(self._compiler, plan)
        means, cycles = np.zeros(len(NAMES)), 0.0
        for name, weight in self.weights.items():
            traits = self._traits(plan, schedule, name)
            means += weight * np.array([getattr(traits, n) for n in NAMES])
            cycles += max(1.0, self._of[name]["instances"]) * 2.0**traits.estimate
        return [float(v) for v in means], _log(cycles)

    def _traits(self, plan: Plan, schedule: Schedule, name: str) -> Traits:
        loops = schedule.loops_of(name)
        given = self._of[name]
        if not loops:  # runs once
            nothing = dict.fromkeys(NAMES, 0.0)
            return Traits(**{**nothing, "operations": float(given["operations"])})
        around = Around(loops, name, self._iterators[name], [self._trips[n] for n in given["loops"]])
        accesses = [
            Touched(a["array"], np.array(a["matrix"], float).reshape(-1, len(given["loops"])))
            for a in given["accesses"]
        ]
        steps = around.steps
        last = max((k for k, s in enumerate(steps) if s.nest.mark != "unroll"), default=0)
        inner = steps[last]
        copies = math.prod(s.nest.factor for s in steps if s.nest.mark == "unroll")
        strides = [self._stride(a, around.direction(last)) for a in accesses]
        loads = [self._elements(a, around.extents(last + 1)) / copies for a in accesses]
        unit = sum(n for n, s in zip(loads, strides, strict=True) if abs(s) == 1)
        far = sum(n for n, s in zip(loads, strides, strict=True) if abs(s) > 1)
        write = strides[0]
        independent = inner.nest.mark == "vector" or legal(
            self._compiler, (*plan, Vectorise(inner.nest.name))
        )
        second = last - 1 if last else last
        misses = [self._misses(around, accesses, last, self._machine[c]) for c in CYCLES]
        vectors = float(self._machine["vector"]) if independent and abs(write) <= 1 else 1.0
        waits = LATENCY / copies if not independent and write == 0 else 0.0
        starts = START / (max(inner.trip, 1.0) * copies)
        cycles = max((given["operations"] + unit) / vectors + far, waits) + starts
        cycles += sum(c * m for c, m in zip(CYCLES.values(), misses, strict=True))
        return Traits(
            unit=unit, far=far, still=float(sum(s == 0 for s in strides)),
            write_still=float(write == 0), write_far=float(abs(write) > 1),
            independent=float(independent), marked=float(inner.nest.mark == "vector"),
            copies=_log(copies), unrolled=_log(inner.nest.factor or 1), trip=_log(inner.trip),
            second=_log(steps[second].trip),
            second_still=float(sum(self._stride(a, around.direction(second)) == 0 for a in accesses)),
            depth=float(len(steps)), tiles=float(sum(s.size > 1 for s in steps)),
            skewed=around.skew(last), skewed_outside=around.skew(0),
            company=float(len(statements(inner.nest.body))), together=float(len(statements(loops[0].body))),
            miss1=_log(misses[0]), miss2=_log(misses[1]), miss3=_log(misses[2]),
            operations=float(given["operations"]), estimate=_log(cycles),
        )  # fmt: skip

    def _stride(self, access: Touched, step: Floats) -> float:
        """Elements that one step of the iterators moves an access along memory."""
        shape = self._shapes[access.array]
        return float(sum(c * math.prod(shape[k + 1 :]) for k, c in enumerate(access.matrix @ step)))

    def _elements(self, access: Touched, extents: Floats, line: int = 1) -> float:
        """Elements, or lines of so many, that an access touches while its iterators run over ``extents``."""
        spans = np.minimum(1.0 + np.abs(access.matrix) @ (extents - 1.0), self._shapes[access.array])
        return float(np.prod(spans[:-1]) * max(1.0, spans[-1] / line))

    def _lines(self, accesses: list[Touched], extents: Floats) -> float:
        """Lines of all accesses; those with the same coefficients share theirs."""
        found = {(a.array, a.matrix.tobytes()): self._elements(a, extents, LINE) for a in accesses}
        return sum(found.values())

    def _misses(self, around: Around, accesses: list[Touched], last: int, size: int) -> float:
        """Lines for one instance: once for each run of the innermost loops whose data does not fit into ``size`` bytes
        any more, so that what the loop inside them has touched is still there."""
        level = last + 1
        while level and 8 * LINE * self._lines(accesses, around.extents(level)) <= size:
            level -= 1
        runs = math.prod(s.trip for s in around.steps[:level])
        return runs * self._lines(accesses, around.extents(level)) / max(around.instances, 1.0)


class Around:
    """The loops around one statement: what they count, how far and how often."""

    def __init__(
        self, loops: tuple[Nest, ...], statement: str, iterators: tuple[str, ...], trips: list[float]
    ) -> None:
        self._trips = np.array(trips)
        self.instances = math.prod(trips)
        counted = [linear(nest.row[statement], iterators) for nest in loops]
        forms = list(dict.fromkeys(form for form, _ in counted))
        self._forms = np.array(forms, float).reshape(len(forms), len(iterators))
        self._directions = np.linalg.pinv(self._forms)
        left = self._ranges()
        steps = []
        for nest, (form, size) in zip(loops, counted, strict=True):
            k = forms.index(form)
            trip = max(1.0, left[k] / size)
            left[k] = min(left[k], float(size))
            steps.append(Step(nest, k, size, trip))
        self.steps = tuple(steps)

    def _ranges(self) -> list[float]:
        """How many values each form takes while those before it stand still."""
        rest, found = self._forms.copy(), []
        for k in range(len(rest)):
            found.append(max(1.0, float(np.abs(rest[k]) @ self._trips)))
            pivot = int(np.argmax(np.abs(rest[k]) * self._trips))
            if rest[k, pivot]:
                for other in range(k + 1, len(rest)):
                    rest[other] -= rest[other, pivot] / rest[k, pivot] * rest[k]
        return found

    def direction(self, step: int) -> Floats:
        """What one step along the form of a loop does to the iterators."""
        return np.asarray(self._directions[:, self.steps[step].form], np.float64)

    def skew(self, step: int) -> float:
        return float(np.count_nonzero(self._forms[self.steps[step].form]) - 1)

    def extents(self, level: int) -> Floats:
        """How far each iterator goes while the loops from number ``level`` on run and those outside stand still."""
        reach = np.ones(len(self._forms))
        for step in self.steps[level:]:
            reach[step.form] = max(reach[step.form], step.trip * step.size)
        found = 1.0 + np.abs(self._directions) @ (reach - 1.0)
        return np.asarray(np.minimum(found, self._trips), np.float64)


def linear(row: Affine, iterators: tuple[str, ...]) -> tuple[tuple[int, ...], int]:
    """The linear form in the iterators that a loop's row counts, and by how much it goes in one iteration: a tile's
    size, or 1. Written-out points of a tile count the form itself."""
    plain = {n: c for n, c in row.terms if not n.startswith("floor")}
    coefficients = tuple(plain.get(i, 0) for i in iterators)
    inside = [n for n, _ in row.terms if n.startswith("floor")]
    if any(coefficients) or not inside:
        return coefficients, 1
    text, size = inside[0], 1
    while found := FLOOR.fullmatch(text):
        text, size = found[1], size * int(found[2])
    terms: dict[str, int] = {}
    for sign, factor, name in TERM.findall(text):
        terms[name] = terms.get(name, 0) + (-1 if sign == "-" else 1) * int(factor or 1)
    return tuple(terms.get(i, 0) for i in iterators), size


def _log(value: float) -> float:
    return math.log2(max(value, 2.0**-20))
