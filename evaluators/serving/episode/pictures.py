"""Pictures of event logs, as plain data: what every call did in a simulated minute, and how long calls waited."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from itertools import count

from evaluators.pictures import Lane, Span, Timeline
from evaluators.serving.core.calls import DONE, Call
from evaluators.serving.core.costs import SECOND
from evaluators.serving.episode.problem import decode
from evaluators.serving.episode.recorder import KINDS, Phase
from evaluators.serving.episode.referee import Referee
from evaluators.task import Instance


def timeline(
    referee: Referee,
    instance: Instance,
    answer: bytes,
    *,
    start: float = 0.0,
    seconds: float = 60.0,
    most: int | None = None,
) -> Timeline:
    """A lane for each call that is there in ``seconds`` from ``start``, in the order of arrival; 0 is ``start``. Where
    they are more than ``most``, one in two of them has a lane, or one in three, and so on. Raises InvalidAnswer for a
    log that cannot be."""
    outcome, phases = referee.recorded(decode(instance.payload), answer)
    found = [(c, _spans(own, start, start + seconds)) for c, own in zip(outcome.calls, phases, strict=True)]
    there = [(c, spans) for c, spans in found if spans]
    # By their numbers: those of two answers are the same calls.
    step = next(n for n in count(1) if most is None or sum(c.number % n == 0 for c, _ in there) <= most)
    cut = start > 0 or outcome.end > (start + seconds) * SECOND
    told = [
        "Each line is a call, from its arrival to its last token.",
        f"Of {len(there)} calls one in {step} has one." if step > 1 else "",
        f"These are the {seconds:g} s from {start:g} s on." if cut else "",
    ]
    return Timeline(
        title=instance.id,
        caption=" ".join(filter(None, told)),
        unit="s",
        lanes=tuple(Lane(f"call {c.number}", spans, _told(c)) for c, spans in there if c.number % step == 0),
        kinds=KINDS,
    )


def busiest(instance: Instance, seconds: float = 60.0) -> float:
    """When those ``seconds`` begin in which most calls arrive, in whole s: the first such of them."""
    arrivals = [request.arrival for request in decode(instance.payload).scenario.requests]

    def arriving(start: int) -> int:
        return bisect_left(arrivals, round((start + seconds) * SECOND)) - bisect_left(
            arrivals, start * SECOND
        )

    return float(max(sorted({arrival // SECOND for arrival in arrivals}), key=arriving))


def _spans(phases: Sequence[Phase], low: float, high: float) -> tuple[Span, ...]:
    """What lies between ``low`` and ``high``, s."""
    found = []
    for kind, *times in phases:
        start, end = (min(max(time / SECOND, low), high) - low for time in times)
        if start < end:
            found.append(Span(start, end, "", note=f"{kind} from {start:.2f} to {end:.2f} s", kind=kind))
    return tuple(found)


def _told(call: Call) -> str:
    request = call.request
    size = f"{request.prompt} and {request.output} tokens"
    if call.state != DONE:
        return f"{size}, never ended"
    return f"{size}, TTFT {call.ttft / SECOND:.2f} s, longest TBT {1000 * call.tbt / SECOND:.0f} ms"


def waits(
    referee: Referee, instances: Sequence[Instance], answers: Sequence[bytes]
) -> tuple[list[float], list[float]]:
    """Of all calls of several logs the times to the first token, and of those with more than one token the longest
    times between two, in s; infinite where a call never ended. Raises InvalidAnswer for a log that cannot be."""
    first, between = [], []
    for instance, answer in zip(instances, answers, strict=True):
        for call in referee.replayed(decode(instance.payload), answer).calls:
            ended = call.state == DONE
            first.append(call.ttft / SECOND if ended else math.inf)
            if call.request.output > 1:
                between.append(call.tbt / SECOND if ended else math.inf)
    return first, between
