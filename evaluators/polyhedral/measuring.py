"""How much faster a schedule makes a program: legal?, C, compiled, compared, timed beside gcc -O3.

Nothing is timed before its outputs were those of the program on two small sizes with two inputs; nothing counts whose
outputs at full size differ. Times are processor times of one thread, taken in turns in one process; the speed-up is
the reference's shortest over the candidate's shortest.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evaluators.polyhedral import codegen
from evaluators.polyhedral.program import Program, Sizes
from evaluators.polyhedral.toolchain import Compiler, Failure, measured
from evaluators.task import TaskError

SCREENING, THOROUGH = 5, 10
"""Repetitions: for every candidate, and where a record is to be believed."""
SLOWEST = 20.0
"""A speed-up below 1 / SLOWEST counts as that much, one above SLOWEST as SLOWEST."""
BETTER = 1.03
"""A program that is faster than the fastest so far by less is not faster beyond doubt."""
MEMORY = 2 * 2**30
COPIES = 5
"""Times that a program's arrays are held at once: inputs, what is worked on, both outputs, and their difference."""
CHECK_SEEDS = (1, 2)
LARGEST_CHECK = 80
"""Sizes at which outputs are compared first are made smaller than this, in proportion."""
LONGEST = 4.0
"""Processor time of one run of the program as written, s: ten turns of both sides fit into the limits."""


class WrongResults(Exception):
    """The compiled schedule gives other results than the program: a bug of ours, never a score."""


@dataclass(frozen=True)
class Speed:
    """``ratio``: the reference's processor time over the schedule's. The times are in s, 0 where they were not taken
    (the same program, or one that was stopped)."""

    ratio: float
    reference: float = 0.0
    own: float = 0.0


def speed(
    program: Program,
    sizes: Sizes,
    text: str,
    compiler: Compiler,
    *,
    repetitions: int = SCREENING,
    threads: int = 1,
) -> Speed:
    """The speed-up of the C ``text`` over the program as written, at ``sizes``. A program that is more than SLOWEST
    times slower is stopped early.

    Raises WrongResults, Failure when it cannot be compiled within limits, and TaskError where the program as written is
    not fit: too slow, too large, or with results that are not finite."""
    objects = [compiler.compiled(t) for t in (codegen.reference(program), text)]
    third = rung(program, sizes)
    order = {
        **described(program), "reference": str(objects[0]), "candidate": str(objects[1]), "sizes": sizes,
        "checks": [{"sizes": s, "seed": n} for s in check_sizes(program) for n in CHECK_SEEDS],
        "rung": third if fits(program, third) else None, "slowest": SLOWEST,
        "repetitions": repetitions, "threads": threads,
        "limits": {"cpu": 120, "wall": 240.0, "memory": MEMORY, "file": 2**20},
    }  # fmt: skip
    try:
        reply = _measured(order)
    except Failure as failure:
        _check_reference(program, order)
        if failure.kind == "late":
            return Speed(1.0 / SLOWEST)
        raise WrongResults(f"the compiled program ended as {failure.kind}") from None
    if reply["status"] == "unfit":
        raise TaskError(
            f"{program.name}: {reply['array']} does not stay finite at {reply['sizes']}, so that nothing can be "
            "compared; choose another fill or other sizes"
        )
    if reply["status"] == "differs":
        raise WrongResults(f"{reply['array']} differs by {reply['by']:.2g} at {reply['sizes']}")
    if reply["status"] == "slow":
        return Speed(clipped(reply["ratio"]))
    first, second = min(reply["reference"]), min(reply["candidate"])
    return Speed(clipped(first / second), first, second)


def _measured(order: Mapping[str, Any]) -> dict[str, Any]:
    """The reply; whatever ended as killed is tried once more, since others can kill, too. Raises Failure."""
    try:
        return measured(order)
    except Failure as failure:
        if failure.kind != "killed":
            raise
    return measured(order)


def _check_reference(program: Program, order: Mapping[str, Any]) -> None:
    """Raises TaskError where the program as written does not run within the limits either."""
    alone = {**order, "candidate": order["reference"], "checks": [], "rung": None, "repetitions": 1}
    try:
        reply = _measured(alone)
        slow = reply["status"] == "ok" and min(reply["reference"]) > LONGEST
    except Failure as failure:
        raise TaskError(
            f"{program.name}: the program as written ends as {failure.kind} at {order['sizes']}"
        ) from None
    if slow:
        raise TaskError(
            f"{program.name}: the program as written takes more than {LONGEST:g} s at {order['sizes']}; choose "
            "smaller sizes"
        )


def clipped(ratio: float) -> float:
    return min(max(ratio, 1.0 / SLOWEST), SLOWEST)


def described(program: Program) -> dict[str, Any]:
    """What the worker has to know of a program's arguments."""
    arrays = {
        a.name: {"shape": [[list(e.terms), e.constant] for e in a.shape], "fill": a.fill}
        for a in program.arrays
    }
    return {"arrays": arrays, "order": list(program.sizes), "written": list(program.written)}


def check_sizes(program: Program) -> tuple[Sizes, ...]:
    """Two small sets of sizes, odd ones, so that partial tiles are there; of the one scale of a program that has no
    small one, where its arrays have elements there."""
    first = program.at(0)
    largest = max(first.values())
    if largest > LARGEST_CHECK:
        first = {n: max(1, v * LARGEST_CHECK // largest) for n, v in first.items()}
    second = {n: 2 * v + 3 + 2 * k for k, (n, v) in enumerate(first.items())}
    return tuple(s for s in (first, second) if fits(program, s))


def fits(program: Program, sizes: Sizes) -> bool:
    """Whether all arrays have elements at these sizes, and MEMORY holds them."""
    shapes = [program.shape(a.name, sizes) for a in program.arrays]
    return min(map(min, shapes)) >= 1 and 8 * sum(map(math.prod, shapes)) <= MEMORY // COPIES


def rung(program: Program, sizes: Mapping[str, int]) -> Sizes:
    """A third of each size, for a first look at the time: ranks as the full size does, at a few percent of its cost."""
    least = program.at(0)
    return {n: max(v // 3, min(v, least[n])) for n, v in sizes.items()}


class Measurer:
    """Speeds by program, sizes and text, each measured once; a record is measured again before it is believed.

    The best of many noisy figures is too good: so what beats the fastest so far by BETTER is measured anew, THOROUGH
    repetitions in a fresh process, and the second figure stands. Thread-safe."""

    def __init__(self, compiler: Compiler, threads: int = 1) -> None:
        self._compiler, self._threads = compiler, threads
        self._found: dict[tuple[str, tuple[tuple[str, int], ...], str], Speed] = {}
        self._best: dict[tuple[str, tuple[tuple[str, int], ...]], float] = {}
        self._lock = threading.Lock()

    def speed(self, program: Program, sizes: Sizes, text: str) -> Speed:
        """Raises what :func:`speed` raises."""
        place = program.name, tuple(sorted(sizes.items()))
        key = (*place, self._compiler.key(text))
        with self._lock:
            if key in self._found:
                return self._found[key]
            best = self._best.get(place, 1.0)
        found = speed(program, sizes, text, self._compiler, threads=self._threads)
        if found.ratio > BETTER * best:
            found = speed(program, sizes, text, self._compiler, repetitions=THOROUGH, threads=self._threads)
            best = found.ratio
        with self._lock:
            self._best[place] = max(self._best.get(place, 1.0), best)
            return self._found.setdefault(key, found)
