"""What a policy may answer to ``step``, and the check that it is legal. Nothing of an answer is trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from evaluators.serving.core.calls import DECODE, Call

if TYPE_CHECKING:
    from evaluators.serving.core.instance import Chunk
    from evaluators.serving.core.views import StepView


Calls = tuple[Call, ...]


class Refused(Exception):
    """An illegal plan; the text is counted and shown."""


Plan = tuple[tuple["Chunk", ...], int, int, Calls, Calls, Calls]
"""A legal plan: chunks of prefill as (call, tokens), the blocks that they take, how many iterations may pass before the
policy is asked again, should nothing happen before; calls to preempt, calls whose cache goes to the host, and calls
that come back from there.

A plan with chunks stands as well: each of its iterations does the same chunks. It ends when a call comes or ends, when
a call of a chunk has fewer tokens left than that, when the instance is short of memory, or when a cache comes or
goes; not when the instance changes its role."""
NOTHING: Plan = ((), 0, 1, (), (), ())


def checked(answer: Any, view: StepView) -> Plan:
    """The plan in ``answer``: (chunks, preempt, steps) or (chunks, preempt, steps, swap, resume), where chunks are
    (place in ``view.queue``, tokens), preempt places in ``view.running``, swap places in ``view.decoding`` and resume
    places in ``view.swapped``. Raises Refused."""
    swap: Any = ()
    resume: Any = ()
    try:
        if len(answer) == 3:
            chunks, preempt, steps = answer
            moves, nothing = preempt, not chunks
        else:
            chunks, preempt, steps, swap, resume = answer
            moves, nothing = preempt or swap or resume, not chunks
    except (TypeError, ValueError):
        raise Refused(
            "step: a plan is (chunks, preempt, steps) or (chunks, preempt, steps, swap, resume)"
        ) from None
    if type(steps) is not int or steps < 1:
        raise Refused("step: steps is a whole number from 1")
    instance, started, left, places = view.instance, view.started, view.budget, view.places
    free, size, span, waiting = instance.free, instance.block, instance.span, instance.waiting
    gone: Calls = ()
    out: Calls = ()
    back: Calls = ()
    if moves:
        gone = _places(preempt, view.running, "preempt")
        out = _places(swap, view.decoding, "swap")
        back = _places(resume, view.swapped, "resume")
        _room(view, gone, out, back)
        left += sum(c.state == DECODE for c in gone) + len(out)
        free += sum(map(instance.frees, gone)) - sum(c.held for c in back)
        places += len(gone) + len(out) - len(back)
    if nothing:
        return (), 0, steps, gone, out, back
    if type(chunks) is not list and type(chunks) is not tuple:
        raise Refused("step: chunks are a sequence of (place, tokens)")
    room, queued = free, started + len(waiting)
    found: dict[int, Chunk] = {}
    locked = set[int]() if span else _NONE
    for item in chunks:
        try:
            place, tokens = item
        except (TypeError, ValueError):
            raise Refused("step: a chunk is (place, tokens)") from None
        if type(place) is not int or type(tokens) is not int or not 0 <= place < queued or place in found:
            raise Refused("step: a chunk names no call of the queue, or one twice")
        if place < started:
            call = instance.prefilling[place]
            if moves and call in gone:
                raise Refused("step: a chunk names a call that is preempted")
        else:
            call = waiting[place - started]
            places -= 1
        if span:
            most, taken = instance.left(call), instance.wants(call, tokens, locked)
        else:
            computed = call.computed
            most, taken = call.length - computed, -(-(computed + tokens) // size) - call.blocks
        if not 0 < tokens <= most:
            raise Refused("step: a chunk has more tokens than its call has left, or none")
        left -= tokens
        free -= taken
        if left < 0 or free < 0 or (places < 0 and place >= started):
            short = (
                "more tokens than the budget" if left < 0 else "no memory" if free < 0 else "no place free"
            )
            raise Refused(f"step: {short}")
        found[place] = call, tokens
    return tuple(found.values()), room - free, steps, gone, out, back


_NONE: set[int] = set()


def _room(view: StepView, gone: Calls, out: Calls, back: Calls) -> None:
    """Whether the host has room for those that swap, and the instance for those that resume."""
    size = view.block
    if out and (
        set(out) & set(gone) or sum(-(-view.holds(c) // size) for c in out) > view.instance.host_free
    ):
        raise Refused("step: swap names a call that is preempted, or more than the host can hold")
    if back and (sum(c.held for c in back) > view.free or len(back) > view.places):
        raise Refused("step: no room for those that resume")


def _places(places: object, calls: Sequence[Call], what: str) -> Calls:
    if type(places) is not list and type(places) is not tuple:
        raise Refused(f"step: {what} is a sequence of places, each once")
    if any(type(p) is not int or not 0 <= p < len(calls) for p in places):
        raise Refused(f"step: {what} names no {'running ' * (what != 'resume')}call")
    if len(set(places)) != len(places):
        raise Refused(f"step: {what} is a sequence of places, each once")
    return tuple(calls[p] for p in places)
