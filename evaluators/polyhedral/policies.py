"""The reference policies: what isl's scheduler, the learned model, Polly and Pluto make of an instance, measured.

Each is timed as candidates are, against gcc -O3 of the program as written and only after its results were compared. A
policy that can make nothing of a program leaves it to gcc alone, a speed-up of 1.
"""

from __future__ import annotations

from collections.abc import Mapping

from evaluators.polyhedral import isl_scheduler, pluto, polly, toolchain
from evaluators.polyhedral.codegen import TooLong
from evaluators.polyhedral.compiler import Compiler
from evaluators.polyhedral.dependences import OutOfOperations
from evaluators.polyhedral.learned import beam
from evaluators.polyhedral.measuring import Measurer, Speed, WrongResults
from evaluators.polyhedral.problem import opened
from evaluators.polyhedral.program import Sizes
from evaluators.polyhedral.toolchain import Failure
from evaluators.task import ImpossibleAnswer, Instance, Judgement, TaskError

OURS = ("isl-fused", "isl-apart", "learned")
"""Policies whose C is made here of proved schedules, so that other results are a bug."""


class Unable(Exception):
    """A policy can make nothing of a program; the text says why."""


def judged(name: str, instance: Instance, measurer: Measurer, settings: Mapping[str, str]) -> Judgement:
    """The speed-up of the policy ``name`` over gcc alone, 1 where it is unable. ``measurer`` is that of the candidates;
    ``settings`` are the task's options.

    Raises TaskError for an unknown policy, and where its commands are missing or of no use; ImpossibleAnswer where a
    schedule of ours gives other results."""
    compiler, sizes, _ = opened(instance.payload, instance.id)
    try:
        ratio = speed(name, compiler, sizes, measurer, settings).ratio
    except Unable:
        ratio = 1.0
    return Judgement(ratio, ratio)


def speed(
    name: str, compiler: Compiler, sizes: Sizes, measurer: Measurer, settings: Mapping[str, str]
) -> Speed:
    """The same for a program at some sizes. Raises what :func:`judged` raises, and Unable."""
    program = compiler.program
    try:
        made = text(name, compiler, sizes, settings)
        if made is None:
            return Speed(1.0)
        if name == "polly":
            threads = int(settings["threads"])
            measurer = polly.measurer(settings[name], gcc(threads), threads)
        return measurer.speed(program, sizes, made)
    except (OutOfOperations, TooLong, Failure, pluto.Refused) as error:
        raise Unable(str(error)) from None
    except WrongResults as error:
        if name in OURS:
            raise ImpossibleAnswer(f"{name} makes {program.name} compute something else: {error}") from None
        raise Unable(f"what it makes is wrong: {error}") from None


def text(name: str, compiler: Compiler, sizes: Sizes, settings: Mapping[str, str]) -> str | None:
    """The C that a policy makes of a program, None where it leaves it alone. Raises TaskError, OutOfOperations, TooLong
    and Refused."""
    match name:
        case "isl-fused" | "isl-apart":
            return isl_scheduler.scheduled(compiler.analysis, apart=name == "isl-apart")
        case "learned":
            plan = beam.search(compiler, sizes, beam.model_of(settings.get("model", ""))).plan
            schedule = compiler.verdict(plan).schedule
            assert schedule is not None
            return compiler.text(schedule) if plan else None
        case "polly" if settings["polly"]:
            return polly.text(compiler.program)
        case "pluto" if settings["pluto"]:
            return pluto.transformed(
                pluto.source(compiler.program), settings["pluto"], int(settings["threads"])
            )
        case "polly" | "pluto":
            raise TaskError(
                f"the policy {name!r} of task 'polyhedral' needs the option {name}, which names its command"
            )
    raise TaskError(f"task 'polyhedral' has no reference policy {name!r}")


def gcc(threads: int) -> toolchain.Compiler:
    """The compiler that all speed-ups are over. Raises TaskError when there is none."""
    return toolchain.compiler("gcc", ("-fopenmp",) if threads > 1 else ())
