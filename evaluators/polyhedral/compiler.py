"""A program and transforms → a legal schedule and its C: proved after every transform, remembered by prefix."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Any

from evaluators.polyhedral import codegen, view
from evaluators.polyhedral.dependences import CHEAP, Analysis, Dependence, OutOfOperations
from evaluators.polyhedral.language import parse
from evaluators.polyhedral.program import Program, Sizes
from evaluators.polyhedral.transforms import Meaningless, Parallel, Transform, Vectorise
from evaluators.polyhedral.tree import Schedule, original

REMEMBERED = 2_000
"""Verdicts on lists of transforms that are kept for each program; one takes some 8 kB."""
DEAR, MOST_COST = 40, 800
"""What a proof costs that needs more operations than a cheap one, in cheap ones; what those of a list cost at most."""


@dataclass(frozen=True)
class Verdict:
    """``schedule`` after all transforms, or None where one was refused, with the ``reason``."""

    schedule: Schedule | None
    reason: str = ""
    cost: int = 0
    """What the proofs of the last transform cost, 1 for each and DEAR for a dear one; always the same."""
    total: int = 0
    """The same of all transforms."""


class Compiler:
    """The schedules of one program. Thread-safe. Raises TaskError as :class:`Analysis` does."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._spent = 0
        self._lock = threading.RLock()
        self.analysis = Analysis(program)
        self._parallel: dict[tuple[Transform, ...], dict[str, tuple[bool, int]]] = {}
        self._verdicts: OrderedDict[tuple[Transform, ...], Verdict] = OrderedDict(
            {(): Verdict(original(program))}
        )

    def verdict(self, transforms: tuple[Transform, ...]) -> Verdict:
        """Apply the transforms one after the other, each only to a legal schedule; the first that is refused is told by
        its number and, where it breaks a dependence, that dependence."""
        with self._lock:
            known = self._verdicts.get(transforms)
            if known is not None:
                return known
            before = self.verdict(transforms[:-1])
            self._spent = 0
            made = before if before.schedule is None else self._next(before.schedule, transforms)
            total = before.total + self._spent
            if made.schedule is not None and total > MOST_COST:
                made = Verdict(
                    None, f"transform {len(transforms) - 1}: the list takes too many proofs that are dear"
                )
            made = replace(made, cost=self._spent, total=total)
            self._verdicts[transforms] = made
            while len(self._verdicts) > REMEMBERED:
                self._verdicts.popitem(last=False)
            self._verdicts.setdefault((), Verdict(original(self.program)))
            return made

    def parallel(self, transforms: tuple[Transform, ...], loop: str) -> tuple[bool, int]:
        """Whether the iterations of a loop are independent of one another after legal transforms, and what the proof
        costs, as :attr:`Verdict.cost`."""
        with self._lock:
            schedule = self.verdict(transforms).schedule
            assert schedule is not None
            known = self._parallel.setdefault(transforms, {})
            while len(self._parallel) > REMEMBERED:
                self._parallel.pop(next(iter(self._parallel)))
            if loop not in known:
                self._spent = 0
                known[loop] = self._carried(schedule, loop) is None, self._spent
            return known[loop]

    def described(self, sizes: Sizes) -> dict[str, Any]:
        """What a candidate sees of the program."""
        with self._lock:
            return view.described(self.analysis, sizes)

    def text(self, schedule: Schedule, *, threads: bool = False) -> str:
        """C of a legal schedule. Raises OutOfOperations and TooLong."""
        with self._lock:
            return codegen.generate(self.analysis, schedule, threads=threads)

    def _next(self, schedule: Schedule, transforms: tuple[Transform, ...]) -> Verdict:
        last = transforms[-1]
        where = f"transform {len(transforms) - 1} ({type(last).__name__})"
        try:
            changed = last.apply(schedule, self.program)
            if isinstance(last, Vectorise | Parallel):
                carried = self._carried(changed, last.loop)
                if carried is not None:
                    return Verdict(None, f"{where}: {last.loop} carries {carried}")
            else:
                moved = frozenset(
                    s for s in changed.statements if changed.own_time(s) != schedule.own_time(s)
                )
                if broken := self._proved(partial(self.analysis.broken, changed, moved)):
                    return Verdict(None, f"{where} breaks {broken}")
                if outdated := self._outdated_mark(changed, moved):
                    return Verdict(None, f"{where}: {outdated}")
        except Meaningless as error:
            return Verdict(None, f"{where}: {error}")
        except OutOfOperations as error:
            return Verdict(None, f"{where}: {error}")
        return Verdict(changed)

    def _outdated_mark(self, schedule: Schedule, moved: frozenset[str]) -> str | None:
        """What was proved of a marked loop in another order may not hold in this one."""
        for nest in schedule.nests.values():
            if nest.mark in ("vector", "parallel") and moved & set(nest.row):
                carried = self._carried(schedule, nest.name)
                if carried is not None:
                    return f"{nest.name}, marked {nest.mark}, would carry {carried}"
        return None

    def _proved(self, ask: Callable[..., Dependence | None]) -> Dependence | None:
        """The answer, with few operations where they are enough. Raises OutOfOperations."""
        try:
            self._spent += 1
            return ask(operations=CHEAP)
        except OutOfOperations:
            self._spent += DEAR - 1
            return ask()

    def _carried(self, schedule: Schedule, loop: str) -> str | None:
        """Why the iterations of a loop are not independent, or None."""
        try:
            carried = self._proved(partial(self.analysis.carried, schedule, loop))
        except OutOfOperations as error:
            return str(error)
        return None if carried is None else str(carried)


@lru_cache(maxsize=256)
def compiler_of(text: str, name: str) -> Compiler:
    """The compiler of a program's text. Raises TaskError."""
    return Compiler(parse(text, name))
