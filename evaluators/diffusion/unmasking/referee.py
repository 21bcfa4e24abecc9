"""The referee of ``diffusion``: checks an event log and looks at the text that it gives."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluators.diffusion import quality
from evaluators.diffusion.decoding import Decoding
from evaluators.diffusion.denoiser.shapes import SHAPES
from evaluators.diffusion.judging import beyond, right
from evaluators.diffusion.problem import Log, log_bytes, parse
from evaluators.task import Figure, Instance, InvalidAnswer, Judgement


def judge(instance: Instance, answer: bytes) -> Judgement:
    """The raw objective is whether the text is right (1 or 0), the score how many times fewer forward passes than in
    full decoding it took. The decoding is done over again, as the log tells of it. Raises InvalidAnswer for a log that
    no decoding gives."""
    model, prompt = parse(instance.payload)
    span = SHAPES[model].scale.span
    if len(answer) != log_bytes(span):
        raise InvalidAnswer(f"the event log has {len(answer)} bytes; expected {log_bytes(span)}")
    log = Log.from_bytes(answer)
    if not 1 <= log.passes <= span or not np.array_equal(np.unique(log.when), np.arange(1, log.passes + 1)):
        raise InvalidAnswer(
            "no decoding gives this event log: each pass unmasks something, each position once"
        )
    text = Decoding(model, prompt)
    for number in range(1, log.passes + 1):
        text.look()
        text.unmask(log.when == number)
    if not np.array_equal(text.tokens, log.tokens):
        raise InvalidAnswer("no decoding gives this event log: the model says other tokens in these passes")
    return beyond(instance, Judgement(value=right(model, prompt, log.tokens), score=span / log.passes))


def replayed_figures(instances: Sequence[Instance], answers: Sequence[bytes]) -> tuple[Figure, ...]:
    """Speeds, QPS, and what was refused, of logs that :func:`judge` took."""
    logs = [Log.from_bytes(a) for a in answers]
    values = [right(*parse(i.payload), log.tokens) for i, log in zip(instances, logs, strict=True)]
    return (
        *quality.speeds(instances, values, [log.passes for log in logs], [len(log.when) for log in logs]),
        Figure("chosen positions that were not masked", float(sum(log.refused for log in logs))),
        Figure("passes in which nothing masked was chosen", float(sum(log.idle for log in logs))),
    )
