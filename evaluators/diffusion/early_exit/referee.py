"""The referee of ``diffusion-exit``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from evaluators.diffusion import quality
from evaluators.diffusion.denoiser.model import shipped
from evaluators.diffusion.denoiser.shapes import SHAPES
from evaluators.diffusion.early_exit.trajectory import LIVE, Trajectory
from evaluators.diffusion.full import passes as full_passes
from evaluators.diffusion.judging import right
from evaluators.diffusion.problem import MODELS, parse
from evaluators.diffusion.tokens import VOCABULARY
from evaluators.task import Figure, Instance, InvalidAnswer, Judgement


def judge(instance: Instance, answer: bytes) -> Judgement:
    """The raw objective is the quality of the text (of the shipped denoisers: whether it is right, 1 or 0), the
    score how many times fewer forward passes than in full decoding it took. Raises InvalidAnswer for a log that no
    decoding gives."""
    passes, tokens = _parts(answer)
    total = total_of(instance)
    if not 1 <= passes <= total:
        raise InvalidAnswer(
            f"no decoding gives this event log: it tells of {passes} passes; expected 1 to {total}"
        )
    if instance.payload[0] == LIVE:
        if tokens.min() < 0 or tokens.max() >= VOCABULARY:
            raise InvalidAnswer("no decoding gives this event log: there are no such tokens")
        return Judgement(right(*parse(instance.payload[1:]), tokens), total / passes)
    recorded = Trajectory.from_bytes(instance.payload)
    if not np.array_equal(tokens, recorded.text(passes)):
        raise InvalidAnswer(
            "no decoding gives this event log: the recording has another text after these passes"
        )
    return Judgement(worth(recorded, passes), total / passes)


def worth(recorded: Trajectory, number: int) -> float:
    """The quality of the text that stopping after pass ``number`` gives."""
    if len(recorded.quality):
        return float(recorded.quality[number - 1])
    return right(MODELS[0], recorded.prompt, recorded.text(number))


def total_of(instance: Instance) -> int:
    """Forward passes of full decoding."""
    if instance.payload[0] == LIVE:
        return SHAPES[parse(instance.payload[1:])[0]].scale.span
    return Trajectory.from_bytes(instance.payload).passes


def oracle(instance: Instance) -> Judgement:
    """What stopping at the first pass from which on the text is never worse than that of full decoding would give."""
    if instance.payload[0] == LIVE:
        model, prompt = parse(instance.payload[1:])
        worths, fixed = [], None
        for step in full_passes(shipped(model), prompt[None]):
            best = step.readings[0].best
            fixed = best if fixed is None else np.where(step.masked[0], best, fixed)
            worths.append(right(model, prompt, fixed))
    else:
        recorded = Trajectory.from_bytes(instance.payload)
        worths = [worth(recorded, n) for n in range(1, recorded.passes + 1)]
    worse = [n for n, w in enumerate(worths, start=1) if w < worths[-1]]
    first = worse[-1] + 1 if worse else 1
    return Judgement(worths[first - 1], len(worths) / first)


def replayed_figures(instances: Sequence[Instance], answers: Sequence[bytes]) -> tuple[Figure, ...]:
    """Speeds and QPS."""
    values = [judge(i, a).value for i, a in zip(instances, answers, strict=True)]
    return quality.speeds(
        instances, values, [_parts(a)[0] for a in answers], [total_of(i) for i in instances]
    )


def _parts(answer: bytes) -> tuple[int, np.ndarray[tuple[int], np.dtype[np.int32]]]:
    return int(np.frombuffer(answer, "<u2", 1)[0]), np.frombuffer(answer, "<i4", offset=2)
