"""Measured schedules of random programs: a file of JSON lines that only grows, so that training can go on.

The first line names the compiler and the processor; every other line is one schedule: the number of its random
program, its plan as :func:`evaluators.polyhedral.transforms.read` takes it, and its speed-up over gcc -O3 of the
program as written (null where it could not be compiled within limits).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluators.polyhedral import measuring, splits
from evaluators.polyhedral.codegen import TooLong
from evaluators.polyhedral.compiler import Compiler, compiler_of
from evaluators.polyhedral.dependences import OutOfOperations
from evaluators.polyhedral.learned import sampler
from evaluators.polyhedral.learned.moves import Plan, schedule_of
from evaluators.polyhedral.toolchain import Compiler as CCompiler
from evaluators.polyhedral.toolchain import Failure
from evaluators.polyhedral.transforms import Meaningless, plain, read
from evaluators.task import TaskError

SCALE = splits.MIDDLE
REPETITIONS = 3
"""Few: the model learns from many schedules, each of which is known to some percent."""
MOST_STATEMENTS = 4
"""Random programs with more are passed over, since proofs about them take long."""


@dataclass(frozen=True)
class Sample:
    """``ratio``: speed-up over the program as written; None where there is none."""

    program: int
    plan: Plan
    ratio: float | None

    def line(self) -> str:
        return json.dumps({"program": self.program, "plan": plain(self.plan), "ratio": self.ratio}) + "\n"


def programs(count: int) -> Iterator[int]:
    """The numbers of the first ``count`` random programs for training."""
    number, found = splits.TRAINING, 0
    while found < count:
        if len(program(number).program.statements) <= MOST_STATEMENTS:
            found += 1
            yield number
        number += 1


def program(number: int) -> Compiler:
    name = f"random-{number}"
    return compiler_of(splits.text_of(name), name)


def load(path: Path, machine: str) -> list[Sample]:
    """The samples of a file, none where there is no file; what is left of a line that was not finished is cut off.

    Raises TaskError for a line that is no sample, and for samples of another machine, whose speed-ups are others."""
    if not path.exists():
        return []
    text = path.read_text(encoding="ascii", errors="replace")
    whole = text[: text.rfind("\n") + 1]
    first, *lines = whole.splitlines() or [""]
    try:
        known = json.loads(first)["machine"] if text else machine
    except (ValueError, KeyError, TypeError):
        raise TaskError(
            f"{path}, line 1: expected the machine of these measurements; name another file"
        ) from None
    if known != machine:
        raise TaskError(f"{path}, line 1: measured with {known}, not with {machine}; name another file")
    found = [_sample(path, number, line) for number, line in enumerate(lines, 2)]
    if whole != text:  # only now that it is known to be ours
        path.write_text(whole, encoding="ascii")
    return found


def collect(
    path: Path,
    compiler: CCompiler,
    *,
    count: int,
    schedules: int,
    over: Callable[[], bool],
    say: Callable[[str], None],
) -> list[Sample]:
    """All samples of the file after it has ``schedules`` of each of ``count`` programs, or until ``over()``. Raises
    TaskError as :func:`load` does."""
    samples = load(path, compiler.version)
    known = {(s.program, s.plan) for s in samples}
    with path.open("a", encoding="ascii") as file:
        if not file.tell():
            file.write(json.dumps({"machine": compiler.version}) + "\n")
        for done, number in enumerate(programs(count)):
            if over():
                break
            say(f"program {done + 1}/{count}, {len(samples)} schedules measured")
            for sample in _measured(number, schedules, known, compiler, say):
                samples.append(sample)
                file.write(sample.line())
                file.flush()
                if over():
                    break
    return samples


def _measured(
    number: int, schedules: int, known: set[tuple[int, Plan]], compiler: CCompiler, say: Callable[[str], None]
) -> Iterator[Sample]:
    """The samples of one program that are not known yet, one for each text in C."""
    planned = program(number)
    if (number, ()) not in known:
        yield Sample(number, (), 1.0)
    texts: set[str] = set()
    for plan in sampler.plans(planned, number, schedules):
        if (number, plan) in known:
            continue
        ratio: float | None = None
        try:
            text = planned.text(schedule_of(planned, plan))
            if text in texts:
                continue
            texts.add(text)
            sizes = planned.program.at(SCALE)
            ratio = measuring.speed(planned.program, sizes, text, compiler, repetitions=REPETITIONS).ratio
        except (OutOfOperations, TooLong, Failure):
            pass  # no C of it within limits; remembered, so that it is not tried again
        except measuring.WrongResults as error:
            say(f"random program {number}: other results ({error}) after {plain(plan)}; please report this")
        yield Sample(number, plan, ratio)


def _sample(path: Path, number: int, line: str) -> Sample:
    try:
        given: Any = json.loads(line)
        program_, plan, ratio = int(given["program"]), read(given["plan"]), given["ratio"]
        if ratio is not None and not float(ratio) > 0:
            raise ValueError
    except (ValueError, TypeError, KeyError, Meaningless):
        raise TaskError(f"{path}, line {number}: not a measured schedule; remove the line") from None
    return Sample(program_, plan, None if ratio is None else float(ratio))


def usable(samples: Sequence[Sample]) -> list[Sample]:
    """Those that have a speed-up."""
    return [s for s in samples if s.ratio is not None]
