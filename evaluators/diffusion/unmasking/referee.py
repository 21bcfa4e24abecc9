"""The referee of ``diffusion``: checks an event log and looks at the text that it gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluators.diffusion import quality
from evaluators.diffusion.denoiser.shapes import SHAPES
from evaluators.diffusion.judging import right
from evaluators.diffusion.problem import Log, parse
from evaluators.diffusion.tokens import MASK, VOCABULARY
from evaluators.task import Figure, Instance, InvalidAnswer, Judgement


def judge(instance: Instance, answer: bytes) -> Judgement:
    """The raw objective is whether the text is right (1 or 0), the score how many times fewer forward passes than
    in full decoding it took. Raises InvalidAnswer for a log that no decoding gives."""
    model, prompt = parse(instance.payload)
    log, span = Log.from_bytes(answer), SHAPES[model].scale.span
    possible = (
        1 <= log.passes <= span
        and log.when.min() >= 1
        and np.array_equal(np.unique(log.when), np.arange(1, log.passes + 1))
        and log.tokens.max() < VOCABULARY
        and not (log.tokens == MASK).any()
    )
    if not possible:
        raise InvalidAnswer(
            "no decoding gives this event log: each pass unmasks something, each position once"
        )
    return Judgement(value=right(model, prompt, log.tokens), score=span / log.passes)


def replayed_figures(instances: Sequence[Instance], answers: Sequence[bytes]) -> tuple[Figure, ...]:
    """Speeds, QPS, and what was refused."""
    logs = [Log.from_bytes(a) for a in answers]
    values = [judge(i, a).value for i, a in zip(instances, answers, strict=True)]
    return (
        *quality.speeds(instances, values, [log.passes for log in logs], [len(log.when) for log in logs]),
        Figure("chosen positions that were not masked", float(sum(log.refused for log in logs))),
        Figure("passes in which nothing masked was chosen", float(sum(log.idle for log in logs))),
    )
