"""The referee: prove every transform, generate and compile the C, compare its results, time it."""

from __future__ import annotations

import json
from collections.abc import Sequence

from evaluators.polyhedral.codegen import TooLong
from evaluators.polyhedral.compiler import Compiler
from evaluators.polyhedral.dependences import OutOfOperations
from evaluators.polyhedral.measuring import Measurer, WrongResults
from evaluators.polyhedral.problem import opened
from evaluators.polyhedral.toolchain import Failure
from evaluators.polyhedral.transforms import Meaningless, Transform, read
from evaluators.polyhedral.tree import Schedule, original
from evaluators.task import Figure, ImpossibleAnswer, Instance, InvalidAnswer, Judgement

ILLEGAL = 0.95
"""The score of a schedule that is refused: somewhat worse than doing nothing. It is not run."""


def schedule_of(
    instance: Instance, answer: bytes
) -> tuple[Compiler, tuple[Transform, ...], Schedule | None, str]:
    """Compiler, transforms, the legal schedule or None, and why it is refused. Raises InvalidAnswer for an answer that
    is no list of transforms at all."""
    if len(answer) != instance.answer_bytes:
        raise InvalidAnswer(f"the answer has {len(answer)} bytes; expected {instance.answer_bytes}")
    compiler, _, _ = opened(instance.payload, instance.id)
    try:
        transforms = read(json.loads(answer))
    except (ValueError, RecursionError):
        raise InvalidAnswer("the answer is not a list of transforms") from None
    except Meaningless as error:
        return compiler, (), None, str(error)
    verdict = compiler.verdict(transforms)
    return compiler, transforms, verdict.schedule, verdict.reason


def judge(instance: Instance, answer: bytes, measurer: Measurer, threads: int = 1) -> Judgement:
    """The speed-up over the compiler alone, both as value and as score; ILLEGAL for a schedule that is refused.

    So does one of which no C can be made or compiled within limits. Raises InvalidAnswer for a refused schedule of the
    quick screen, ImpossibleAnswer where a legal schedule gives other results."""
    compiler, _, schedule, reason = schedule_of(instance, answer)
    _, sizes, strict = opened(instance.payload, instance.id)
    if schedule is None:
        return _refused(reason, strict)
    if schedule == original(compiler.program):
        return Judgement(1.0, 1.0)  # the same program: nothing to time
    try:
        text = compiler.text(schedule, threads=threads > 1)
        found = measurer.speed(compiler.program, sizes, text)
    except (OutOfOperations, TooLong) as error:
        return _refused(f"no C could be made of the schedule: {error}", strict)
    except Failure as failure:
        return _refused(f"the C of the schedule did not compile within limits ({failure.kind})", strict)
    except WrongResults as error:
        raise ImpossibleAnswer(
            f"the schedule was proved legal, yet its results are others: {error}"
        ) from None
    return Judgement(found.ratio, found.ratio)


def _refused(reason: str, strict: bool) -> Judgement:
    if strict:
        raise InvalidAnswer(reason)
    return Judgement(ILLEGAL, ILLEGAL)


def figures(instances: Sequence[Instance], values: Sequence[float]) -> tuple[Figure, ...]:  # noqa: ARG001
    """The slowest program, and how many are slower than the compiler alone beyond noise, or refused."""
    if not values:
        return ()
    return (
        Figure("slowest", min(values), "x"),
        Figure("below 0.95", 100.0 * sum(v < ILLEGAL for v in values) / len(values), "%"),
        Figure("refused", 100.0 * sum(v == ILLEGAL for v in values) / len(values), "%"),
    )
