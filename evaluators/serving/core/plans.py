"""What a policy may answer to ``step``, and the check that it is legal. Nothing of an answer is trusted."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from evaluators.serving.core.calls import Call

if TYPE_CHECKING:
    from evaluators.serving.core.instance import Instance
    from evaluators.serving.core.views import StepView


class Refused(Exception):
    """An illegal plan; the text is counted and shown."""


class Plan(NamedTuple):
    """A legal plan: chunks of prefill as (call, tokens), calls to preempt, and how many decode iterations may pass
    before the policy is asked again, should nothing happen before."""

    chunks: tuple[tuple[Call, int], ...]
    preempt: tuple[Call, ...]
    steps: int


def checked(answer: object, instance: Instance, view: StepView) -> Plan:
    """The plan in ``answer``: (chunks, preempt, steps), where chunks are (place in ``view.queue``, tokens) and preempt
    places in ``view.decoding``. Raises Refused."""
    try:
        chunks, preempt, steps = answer  # type: ignore[misc]
    except (TypeError, ValueError):
        raise Refused("step: a plan is (chunks, preempt, steps)") from None
    if type(steps) is not int or steps < 1:
        raise Refused("step: steps is a whole number from 1")
    queue, gone = view.queue, _preempted(preempt, view)
    free = instance.free + sum(instance.frees(c) for c in gone)
    left = instance.budget - len(instance.decoding) + len(gone)
    places = instance.cap - instance.sequences + len(gone)
    found: list[tuple[Call, int]] = []
    seen, locked = set[int](), set[int]()
    admitted = len(instance.prefilling)
    for item in chunks:
        try:
            place, tokens = item
        except (TypeError, ValueError):
            raise Refused("step: a chunk is (place, tokens)") from None
        if type(place) is not int or type(tokens) is not int or not 0 <= place < len(queue) or place in seen:
            raise Refused("step: a chunk names no call of the queue, or one twice")
        call = queue[place]
        if not 0 < tokens <= instance.left(call):
            raise Refused("step: a chunk has more tokens than its call has left, or none")
        left -= tokens
        free -= instance.wants(call, tokens, locked)
        places -= place >= admitted
        if left < 0 or free < 0 or places < 0:
            raise Refused(
                "step: "
                + ("more tokens than the budget" if left < 0 else "no memory" if free < 0 else "no place free")
            )
        seen.add(place)
        found.append((call, tokens))
    return Plan(tuple(found), gone, steps)


def _preempted(places: object, view: StepView) -> tuple[Call, ...]:
    if not places:
        return ()
    running = view.decoding
    if not isinstance(places, (tuple, list)) or len(set(places)) != len(places):
        raise Refused("step: preempt is a sequence of places, each once")
    if any(type(p) is not int or not 0 <= p < len(running) for p in places):
        raise Refused("step: preempt names no running call")
    return tuple(running[p] for p in places)
