"""What a policy may answer to ``step``, and the check that it is legal. Nothing of an answer is trusted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from evaluators.serving.core.calls import DECODE, Call

if TYPE_CHECKING:
    from evaluators.serving.core.instance import Chunk, Instance
    from evaluators.serving.core.views import StepView


Calls = tuple[Call, ...]


class Refused(Exception):
    """An illegal plan; the text is counted and shown."""


class Plan(NamedTuple):
    """A legal plan: chunks of prefill as (call, tokens), the blocks that they take, how many decode iterations may pass
    before the policy is asked again, should nothing happen before; calls to preempt, calls whose cache goes to the
    host, and calls that come back from there."""

    chunks: tuple[Chunk, ...] = ()
    blocks: int = 0
    steps: int = 1
    preempt: Calls = ()
    swap: Calls = ()
    resume: Calls = ()


def checked(answer: Any, view: StepView) -> Plan:
    """The plan in ``answer``: (chunks, preempt, steps) or (chunks, preempt, steps, swap, resume), where chunks are
    (place in ``view.queue``, tokens), preempt places in ``view.running``, swap places in ``view.decoding`` and resume
    places in ``view.swapped``. Raises Refused."""
    swap: Any = ()
    resume: Any = ()
    try:
        if len(answer) == 3:
            chunks, preempt, steps = answer
        else:
            chunks, preempt, steps, swap, resume = answer
        moves, nothing = preempt or swap or resume, not chunks
    except (TypeError, ValueError):
        raise Refused(
            "step: a plan is (chunks, preempt, steps) or (chunks, preempt, steps, swap, resume)"
        ) from None
    if type(steps) is not int or steps < 1:
        raise Refused("step: steps is a whole number from 1")
    instance = view.instance
    if not moves:
        if nothing:
            return _new(Plan, ((), 0, steps, (), (), ()))
        found, blocks = _chunks(chunks, instance, (), view.budget, instance.free, view.places)
        return _new(Plan, (found, blocks, steps, (), (), ()))
    gone = _places(preempt, view.running, "preempt")
    out = _places(swap, view.decoding, "swap")
    back = _places(resume, view.swapped, "resume")
    _room(view, gone, out, back)
    if nothing:
        return Plan((), 0, steps, gone, out, back)
    left = view.budget + sum(c.state == DECODE for c in gone) + len(out)
    free = instance.free + sum(map(instance.frees, gone)) - sum(c.held for c in back)
    places = view.places + len(gone) + len(out) - len(back)
    found, blocks = _chunks(chunks, instance, gone, left, free, places)
    return Plan(found, blocks, steps, gone, out, back)


_NONE: set[int] = set()
_new = tuple.__new__
"""Much faster than the call that a named tuple makes of it."""


def _room(view: StepView, gone: Calls, out: Calls, back: Calls) -> None:
    """Whether the host has room for those that swap, and the instance for those that resume."""
    size = view.block
    if out and (
        set(out) & set(gone) or sum(-(-view.holds(c) // size) for c in out) > view.instance.host_free
    ):
        raise Refused("step: swap names a call that is preempted, or more than the host can hold")
    if back and (sum(c.held for c in back) > view.free or len(back) > view.places):
        raise Refused("step: no room for those that resume")


def _chunks(
    chunks: Any, instance: Instance, gone: Calls, left: int, free: int, places: int
) -> tuple[tuple[Chunk, ...], int]:
    """The chunks with their calls, and the blocks that they take; within ``left`` tokens, ``free`` blocks and
    ``places``."""
    if type(chunks) is not list and type(chunks) is not tuple:
        raise Refused("step: chunks are a sequence of (place, tokens)")
    queue, started, room = instance.prefilling + instance.waiting, len(instance.prefilling), free
    size, span = instance.block, instance.span
    found: dict[int, Chunk] = {}
    locked = set[int]() if span else _NONE
    for item in chunks:
        try:
            place, tokens = item
        except (TypeError, ValueError):
            raise Refused("step: a chunk is (place, tokens)") from None
        if type(place) is not int or type(tokens) is not int or not 0 <= place < len(queue) or place in found:
            raise Refused("step: a chunk names no call of the queue, or one twice")
        call = queue[place]
        if gone and call in gone:
            raise Refused("step: a chunk names a call that is preempted")
        if span:
            most, taken = instance.left(call), instance.wants(call, tokens, locked)
        else:
            computed = call.computed
            most, taken = call.length - computed, -(-(computed + tokens) // size) - call.blocks
        if not 0 < tokens <= most:
            raise Refused("step: a chunk has more tokens than its call has left, or none")
        left -= tokens
        free -= taken
        places -= place >= started
        if left < 0 or free < 0 or places < 0:
            short = (
                "more tokens than the budget" if left < 0 else "no memory" if free < 0 else "no place free"
            )
            raise Refused(f"step: {short}")
        found[place] = call, tokens
    return tuple(found.values()), room - free


def _places(places: object, calls: Sequence[Call], what: str) -> Calls:
    if type(places) is not list and type(places) is not tuple:
        raise Refused(f"step: {what} is a sequence of places, each once")
    if any(type(p) is not int or not 0 <= p < len(calls) for p in places):
        raise Refused(f"step: {what} names no {'running ' * (what != 'resume')}call")
    if len(set(places)) != len(places):
        raise Refused(f"step: {what} is a sequence of places, each once")
    return tuple(calls[p] for p in places)
