"""What a policy may answer to ``step``, and the check that it is legal. Nothing of an answer is trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from evaluators.serving.core.calls import DECODE, Call

if TYPE_CHECKING:
    from evaluators.serving.core.views import StepView


class Refused(Exception):
    """An illegal plan; the text is counted and shown."""


class Plan(NamedTuple):
    """A legal plan: chunks of prefill as (call, tokens), calls to preempt, how many decode iterations may pass before
    the policy is asked again, should nothing happen before; the blocks that the chunks take; calls whose cache goes to
    the host, and calls that come back from there."""

    chunks: tuple[tuple[Call, int], ...]
    preempt: tuple[Call, ...]
    steps: int
    blocks: int
    swap: tuple[Call, ...] = ()
    resume: tuple[Call, ...] = ()


def checked(answer: Any, view: StepView) -> Plan:
    """The plan in ``answer``: (chunks, preempt, steps) or (chunks, preempt, steps, swap, resume), where chunks are
    (place in ``view.queue``, tokens), preempt places in ``view.running``, swap places in ``view.decoding`` and resume
    places in ``view.swapped``. Raises Refused."""
    try:
        chunks, preempt, steps, swap, resume = answer if len(answer) == 5 else (*answer, (), ())
    except (TypeError, ValueError):
        raise Refused(
            "step: a plan is (chunks, preempt, steps) or (chunks, preempt, steps, swap, resume)"
        ) from None
    if type(steps) is not int or steps < 1:
        raise Refused("step: steps is a whole number from 1")
    instance = view.instance
    gone = _places(preempt, view.running, "preempt") if preempt else ()
    out = _places(swap, view.decoding, "swap") if swap else ()
    back = _places(resume, instance.swapped, "resume") if resume else ()
    if out and (
        set(out) & set(gone) or sum(-(-view.holds(c) // instance.block) for c in out) > instance.host_free
    ):
        raise Refused("step: swap names a call that is preempted, or more than the host can hold")
    if back:
        room = instance.free - instance.needed - sum(c.held for c in back)
        if room < 0 or instance.sequences + len(back) > instance.cap:
            raise Refused("step: no room for those that resume")
    if not chunks:
        return Plan((), gone, steps, 0, out, back)
    queue, started = view.queue, len(instance.prefilling)
    decodes = sum(c.state == DECODE for c in gone) + len(out)
    free = instance.free + sum(instance.frees(c) for c in gone) - sum(c.held for c in back)
    left = instance.budget - len(instance.decoding) + decodes
    places = instance.cap - instance.sequences + len(gone) + len(out) - len(back)
    found: list[tuple[Call, int]] = []
    taken = 0
    seen, locked = set[int](), set[int]()
    for item in chunks:
        try:
            place, tokens = item
        except (TypeError, ValueError):
            raise Refused("step: a chunk is (place, tokens)") from None
        if type(place) is not int or type(tokens) is not int or not 0 <= place < len(queue) or place in seen:
            raise Refused("step: a chunk names no call of the queue, or one twice")
        call = queue[place]
        if call in gone:
            raise Refused("step: a chunk names a call that is preempted")
        if not 0 < tokens <= instance.left(call):
            raise Refused("step: a chunk has more tokens than its call has left, or none")
        left -= tokens
        wanted = instance.wants(call, tokens, locked)
        free -= wanted
        taken += wanted
        places -= place >= started
        if left < 0 or free < 0 or places < 0:
            raise Refused(
                "step: "
                + (
                    "more tokens than the budget"
                    if left < 0
                    else "no memory"
                    if free < 0
                    else "no place free"
                )
            )
        seen.add(place)
        found.append((call, tokens))
    return Plan(tuple(found), gone, steps, taken, out, back)


def _places(places: object, calls: Sequence[Call], what: str) -> tuple[Call, ...]:
    if not isinstance(places, tuple | list) or len(set(places)) != len(places):
        raise Refused(f"step: {what} is a sequence of places, each once")
    if any(type(p) is not int or not 0 <= p < len(calls) for p in places):
        raise Refused(
            f"step: {what} names no running call" if what != "resume" else "step: resume names no call"
        )
    return tuple(calls[p] for p in places)
