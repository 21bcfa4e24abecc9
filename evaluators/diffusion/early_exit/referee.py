"""The referee of ``diffusion-exit``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluators.diffusion import quality
from evaluators.diffusion.denoiser.shapes import SHAPES
from evaluators.diffusion.early_exit.live import decoding_of
from evaluators.diffusion.early_exit.trajectory import LIVE, Array, Trajectory
from evaluators.diffusion.judging import beyond, right
from evaluators.diffusion.problem import MODELS, parse
from evaluators.task import Figure, Instance, InvalidAnswer, Judgement


def judge(instance: Instance, answer: bytes) -> Judgement:
    """The raw objective is the quality of the text (of the shipped denoisers: whether it is right, 1 or 0), the
    score how many times fewer forward passes than in full decoding it took. Raises InvalidAnswer for a log that no
    decoding gives."""
    total, expected = total_of(instance), 2 + 4 * instance.size
    if len(answer) != expected:
        raise InvalidAnswer(f"the event log has {len(answer)} bytes; expected {expected}")
    passes, tokens = told(answer)
    if not 1 <= passes <= total:
        raise InvalidAnswer(
            f"no decoding gives this event log: it tells of {passes} passes; expected 1 to {total}"
        )
    if not np.array_equal(tokens, decoding_of(instance.payload).text(passes)):
        raise InvalidAnswer("no decoding gives this event log: the text is another one after these passes")
    return beyond(instance, Judgement(quality_of(instance, passes, tokens), total / passes))


def quality_of(instance: Instance, passes: int, tokens: Array) -> float:
    """The quality of the text that stopping after so many passes gives."""
    if instance.payload[0] == LIVE:
        return right(*parse(instance.payload[1:]), tokens)
    recorded = Trajectory.from_bytes(instance.payload)
    if len(recorded.quality):
        return float(recorded.quality[passes - 1])
    return right(MODELS[0], recorded.prompt, tokens)


def total_of(instance: Instance) -> int:
    """Forward passes of full decoding."""
    if instance.payload[0] == LIVE:
        return SHAPES[parse(instance.payload[1:])[0]].scale.span
    return Trajectory.from_bytes(instance.payload).passes


def oracle(instance: Instance) -> Judgement:
    """What stopping at the first pass from which on the text is never worse than that of full decoding would give."""
    text = decoding_of(instance.payload)
    worths = [quality_of(instance, n, text.text(n)) for n in range(1, text.passes + 1)]
    worse = [n for n, w in enumerate(worths, start=1) if w < worths[-1]]
    first = worse[-1] + 1 if worse else 1
    return Judgement(worths[first - 1], len(worths) / first)


def replayed_figures(instances: Sequence[Instance], answers: Sequence[bytes]) -> tuple[Figure, ...]:
    """Speeds and QPS, of logs that :func:`judge` took."""
    logs = [told(a) for a in answers]
    values = [quality_of(i, *log) for i, log in zip(instances, logs, strict=True)]
    return quality.speeds(instances, values, [passes for passes, _ in logs], [total_of(i) for i in instances])


def told(answer: bytes) -> tuple[int, np.ndarray[tuple[int], np.dtype[np.int32]]]:
    """The passes and the tokens of an event log."""
    return int(np.frombuffer(answer, "<u2", 1)[0]), np.frombuffer(answer, "<i4", offset=2)
